package runs_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/test/historyfile"
)

var (
	data = converter.GetDefaultDataConverter()
	noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
)

// server is a Temporal server with scripted runs. It applies the id policies of
// starts.
type server struct {
	mu sync.Mutex
	// runs are those of all ids, the oldest first.
	runs []*run
	// unlisted are runs that visibility lacks, deleted those that it lists still.
	unlisted, deleted []string
	// noAttributes means that the namespace lacks the search attribute of tasks.
	noAttributes bool
	// hangs means that lists answer only at the end of their context.
	hangs bool
	// errors are the errors of the next calls of a method. A nil one lets a call
	// pass.
	errors map[string][]error
	// histories counts the whole histories that were read, lists the lists.
	histories, lists int
	// starts are the accepted starts, terminations the reasons by id.
	starts       []client.StartWorkflowOptions
	terminations map[string]string
}

// run is a run of a job. Its task is listed by visibility.
type run struct {
	id, runID string
	info      *workflowpb.WorkflowExecutionInfo
	events    []*historypb.HistoryEvent
	task      string
}

func newServer() *server {
	return &server{errors: map[string][]error{}, terminations: map[string]string{}}
}

// add adds a run that started after a number of hours, as the first of its chain.
func (s *server) add(id, runID string, hours int, status enumspb.WorkflowExecutionStatus, events ...*historypb.HistoryEvent) *run {
	added := &run{id: id, runID: runID, events: events, info: &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: runID},
		Status:    status, FirstRunId: runID, TaskQueue: "queue-of-" + id,
		StartTime: timestamppb.New(noon.Add(time.Duration(hours) * time.Hour)),
	}}
	s.runs = append(s.runs, added)
	return added
}

// addNow adds a run that starts now, after those of the same id.
func (s *server) addNow(id string, status enumspb.WorkflowExecutionStatus, events ...*historypb.HistoryEvent) *run {
	earlier := 0
	for _, r := range s.runs {
		if r.id == id {
			earlier++
		}
	}
	added := s.add(id, fmt.Sprintf("%s-%d", id, earlier), 0, status, events...)
	now := timestamppb.New(time.Now().Add(time.Duration(earlier) * time.Second))
	added.info.StartTime, added.info.ExecutionTime = now, now
	return added
}

// addEnd adds a run, whose last event has the payloads of its end.
func (s *server) addEnd(id string, status enumspb.WorkflowExecutionStatus, end ...any) *run {
	var last *historypb.HistoryEvent
	switch status {
	case completed:
		last = completes(end...)
	case cancelled:
		last = cancels(end...)
	case failed:
		last = fails("", end...)
	default:
		last = &historypb.HistoryEvent{}
	}
	return s.addNow(id, status, last)
}

// addRecorded adds a run of job with a recorded history of lumaflow v0.1.
func (s *server) addRecorded(t *testing.T, status enumspb.WorkflowExecutionStatus, name string) {
	t.Helper()
	history, err := historyfile.Read(filepath.Join(recorded, name+".json"))
	require.NoError(t, err)
	s.addNow(job, status, history.GetEvents()...)
}

// remember sets the memo.
func (r *run) remember(facts paid.Facts) *run {
	r.info.Memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{paid.MemoKey: payloads(facts).GetPayloads()[0]}}
	return r
}

func (s *server) reader() runs.Reader { return runs.Reader{Server: s, Data: data} }

func (s *server) collector() runs.Collector {
	return runs.Collector{Starter: s, Reader: s.reader(), TaskQueue: "default-queue"}
}

// fail returns the error of a call.
func (s *server) fail(method string) error {
	if pending := s.errors[method]; len(pending) > 0 {
		s.errors[method] = pending[1:]
		return pending[0]
	}
	return nil
}

// find returns a run, the latest if runID is empty.
func (s *server) find(id, runID string) (*run, error) {
	for _, r := range slices.Backward(s.runs) {
		if r.id == id && (runID == "" || r.runID == runID) && !slices.Contains(s.deleted, r.runID) {
			return r, nil
		}
	}
	return nil, serviceerror.NewNotFound("no such run")
}

// latest is the latest run of an id; nil if there is none.
func (s *server) latest(id string) *run {
	latest, _ := s.find(id, "")
	return latest
}

func (s *server) DescribeWorkflow(_ context.Context, id, runID string) (*client.WorkflowExecutionDescription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("describe"); err != nil {
		return nil, err
	}
	found, err := s.find(id, runID)
	if err != nil {
		return nil, err
	}
	return &client.WorkflowExecutionDescription{RawResponse: &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: found.info}}, nil
}

// ListWorkflow lists one run a page, unless the request has a page size.
func (s *server) ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists++
	if s.hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := s.fail("list"); err != nil {
		return nil, err
	}
	if s.noAttributes && strings.Contains(request.GetQuery(), "LumaTaskId") {
		return nil, serviceerror.NewInvalidArgument("LumaTaskId is not a valid search attribute")
	}
	page := &workflowservice.ListWorkflowExecutionsResponse{}
	// The token of the first page is empty and yields zero.
	from, _ := strconv.Atoi(string(request.GetNextPageToken()))
	for i, r := range s.runs[from:] {
		if !s.selected(r, request.GetQuery()) {
			continue
		}
		if len(page.Executions) == max(int(request.GetPageSize()), 1) {
			page.NextPageToken = []byte(strconv.Itoa(from + i))
			break
		}
		// Lists lack the chain.
		listed := proto.CloneOf(r.info)
		listed.FirstRunId = ""
		page.Executions = append(page.Executions, listed)
	}
	return page, nil
}

func (s *server) selected(r *run, query string) bool {
	completedOnly := strings.Contains(query, "'Completed'")
	named := strings.Contains(query, visibility.Equals("WorkflowId", r.id)) || r.task != "" && strings.Contains(query, visibility.Equals("LumaTaskId", r.task))
	return named && (!completedOnly || r.info.GetStatus() == completed) && !slices.Contains(s.unlisted, r.runID)
}

func (s *server) GetWorkflowHistory(_ context.Context, id, runID string, _ bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("history"); err != nil {
		return &iterator{err: err}
	}
	found, err := s.find(id, runID)
	if err != nil {
		return &iterator{err: err}
	}
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		return &iterator{events: found.events[len(found.events)-1:]}
	}
	s.histories++
	return &iterator{events: found.events}
}

type iterator struct {
	events []*historypb.HistoryEvent
	err    error
}

func (i *iterator) HasNext() bool { return i.err != nil || len(i.events) > 0 }

func (i *iterator) Next() (*historypb.HistoryEvent, error) {
	if i.err != nil {
		return nil, i.err
	}
	next := i.events[0]
	i.events = i.events[1:]
	return next, nil
}

// startedJob is the answer to a start.
type startedJob struct {
	client.WorkflowRun
	id, runID string
}

func (s startedJob) GetID() string    { return s.id }
func (s startedJob) GetRunID() string { return s.runID }

func (s *server) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("start"); err != nil {
		return nil, err
	}
	if latest := s.latest(options.ID); latest != nil {
		open := latest.info.GetStatus() == running
		switch {
		case open && options.WorkflowIDConflictPolicy == enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
			return startedJob{id: options.ID, runID: latest.runID}, nil
		case open, options.WorkflowIDReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
			latest.info.GetStatus() == completed:
			return nil, fmt.Errorf("start: %w", serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "request", latest.runID))
		}
	}
	s.starts = append(s.starts, options)
	added := s.addNow(options.ID, running)
	added.info.TaskQueue = options.TaskQueue
	added.info.ExecutionTime = timestamppb.New(added.info.GetStartTime().AsTime().Add(options.StartDelay))
	if facts, ok := options.Memo[paid.MemoKey].(paid.Facts); ok {
		added.remember(facts)
	}
	return startedJob{id: options.ID, runID: added.runID}, nil
}

func (s *server) TerminateWorkflow(_ context.Context, id, runID, reason string, _ ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail("terminate"); err != nil {
		return err
	}
	found, err := s.find(id, runID)
	if err != nil || found.info.GetStatus() != running {
		return serviceerror.NewNotFound("workflow execution already completed")
	}
	found.info.Status = terminated
	s.terminations[id] = strings.TrimSpace(reason)
	return nil
}
