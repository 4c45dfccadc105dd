package replay_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/oneline"
)

// page is the page size of the fake, small enough for several pages.
const page = 3

// temporal is a fake Temporal service with jobs.
type temporal struct {
	open, closed []job
	listErr      error
	// onRead is called before a history is read.
	onRead func()

	mu      sync.Mutex
	queries []string
	read    []string
}

type job struct {
	id string
	// run is the run id; empty means one that the job id yields.
	run     string
	history *historypb.History
	err     error
	// hangs blocks the read of the history until its context ends.
	hangs bool
}

func (j job) runID() string { return cmp.Or(j.run, "run-of-"+oneline.Clean(j.id)) }

// jobs returns count jobs with the same history.
func jobs(t *testing.T, count int, prefix, scenario string) []job {
	t.Helper()
	var all []job
	for i := range count {
		all = append(all, job{id: fmt.Sprintf("%s-%d", prefix, i), history: recorded(t, scenario)})
	}
	return all
}

func (f *temporal) ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f.queries = append(f.queries, request.GetQuery())
	if f.listErr != nil {
		return nil, f.listErr
	}
	all := f.open
	if strings.Contains(request.GetQuery(), "CloseTime IS NOT NULL") {
		all = f.closed
	}
	// The token of the first page is empty and yields zero.
	from, _ := strconv.Atoi(string(request.GetNextPageToken()))
	to := min(from+page, len(all))
	response := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, job := range all[from:to] {
		response.Executions = append(response.Executions, &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{WorkflowId: job.id, RunId: job.runID()},
		})
	}
	if to < len(all) {
		response.NextPageToken = []byte(strconv.Itoa(to))
	}
	return response, nil
}

func (f *temporal) GetWorkflowHistory(ctx context.Context, id, runID string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = append(f.read, id+"/"+runID)
	if f.onRead != nil {
		f.onRead()
	}
	for _, job := range slices.Concat(f.open, f.closed) {
		if job.id == id && job.runID() == runID {
			return &events{ctx: ctx, job: job}
		}
	}
	return &events{ctx: ctx, job: job{err: serviceerror.NewNotFound("no such workflow")}}
}

// events iterates over a history; the error of a job comes after half of it.
type events struct {
	ctx  context.Context
	job  job
	next int
}

func (e *events) HasNext() bool {
	return e.job.err != nil || e.next < len(e.job.history.GetEvents())
}

func (e *events) Next() (*historypb.HistoryEvent, error) {
	if e.job.hangs {
		<-e.ctx.Done()
	}
	if err := e.ctx.Err(); err != nil {
		return nil, err
	}
	if e.job.err != nil && e.next >= len(e.job.history.GetEvents())/2 {
		return nil, e.job.err
	}
	e.next++
	return e.job.history.GetEvents()[e.next-1], nil
}
