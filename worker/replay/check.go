package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize/english"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

const (
	// listPage is the number of jobs in memory, concurrency the number of histories:
	// a history has at most 50 MB.
	listPage    = 500
	concurrency = 4
	// listTimeout bounds the request for one page, historyTimeout the requests for
	// one history.
	listTimeout    = 30 * time.Second
	historyTimeout = time.Minute
)

// Temporal is the part of client.Client that a check needs.
type Temporal interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Selection selects the jobs to replay: all open jobs and the latest closed ones.
type Selection struct {
	// Closed is the number of closed jobs.
	Closed int
	// TaskQueue selects jobs by task queue; empty means all.
	TaskQueue string
}

// Tally counts the replayed jobs.
type Tally struct {
	Open   int `json:"open"`
	Closed int `json:"closed"`
	// Gone counts the jobs that were deleted between their listing and the read of
	// their history.
	Gone int `json:"gone"`
}

// String gives the number of open and closed jobs.
func (t Tally) String() string {
	return fmt.Sprintf("%d open and %d closed %s", t.Open, t.Closed, english.PluralWord(t.Closed, "job", ""))
}

// Check replays the selected jobs and stops at the first that would break, with
// a *BreakError. Any other error means that the check is incomplete. Temporal's
// lists lag by up to a few seconds, and a job that ends during the check may be
// replayed twice. Progress may be nil; it is called concurrently.
func Check(ctx context.Context, service Temporal, selected Selection, options Options, progress func(Tally)) (Tally, error) {
	replays, ctx := errgroup.WithContext(ctx)
	replays.SetLimit(concurrency)
	c := &replayer{temporal: service, options: options, replays: replays, progress: progress}
	err := c.list(ctx, selected.query("CloseTime IS NULL"), -1, &c.counts.Open)
	if err == nil && selected.Closed > 0 {
		err = c.list(ctx, selected.query("CloseTime IS NOT NULL"), selected.Closed, &c.counts.Closed)
	}
	// A failed replay cancels the listing, so its error is the cause.
	if failed := replays.Wait(); failed != nil {
		err = failed
	}
	return c.counts, err
}

func (s Selection) query(state string) string {
	terms := []string{visibility.In("WorkflowType", []string{workflows.ModifyVideoName, batches.ModifyVideosName}), state}
	if s.TaskQueue != "" {
		terms = append(terms, visibility.Equals("TaskQueue", s.TaskQueue))
	}
	return strings.Join(terms, " AND ")
}

type replayer struct {
	temporal Temporal
	options  Options
	replays  *errgroup.Group
	progress func(Tally)

	mu     sync.Mutex
	counts Tally
}

// list replays the jobs of a query as it reads the pages, at most limit of them
// if limit is not negative. Temporal lists the latest first.
func (c *replayer) list(ctx context.Context, query string, limit int, counter *int) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: listPage}
	for {
		page, err := c.page(ctx, request)
		if err != nil {
			return fmt.Errorf("list the jobs: %w", err)
		}
		for _, job := range page.GetExecutions() {
			if limit == 0 || ctx.Err() != nil {
				return ctx.Err()
			}
			limit--
			c.replays.Go(func() error { return c.job(ctx, job, counter) })
		}
		request.NextPageToken = page.GetNextPageToken()
		if len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

func (c *replayer) page(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return c.temporal.ListWorkflow(ctx, request)
}

// job replays one job.
func (c *replayer) job(ctx context.Context, job *workflowpb.WorkflowExecutionInfo, counter *int) error {
	id, runID := job.GetExecution().GetWorkflowId(), job.GetExecution().GetRunId()
	history, err := c.history(ctx, id, runID)
	if runs.NotFound(err) {
		counter = &c.counts.Gone
	} else if err != nil {
		return fmt.Errorf("read the history of job %s: %w", oneline.Clean(id), err)
	} else if err := Replay(ctx, history, c.options); err != nil {
		if broken, ok := errors.AsType[*BreakError](err); ok {
			broken.WorkflowID, broken.RunID = id, runID
			return broken
		}
		return fmt.Errorf("replay job %s: %w", oneline.Clean(id), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	*counter++
	if c.progress != nil {
		c.progress(c.counts)
	}
	return nil
}

func (c *replayer) history(ctx context.Context, id, runID string) (*historypb.History, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	history := &historypb.History{}
	events := c.temporal.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, err
		}
		history.Events = append(history.Events, event)
	}
	return history, c.options.Codec.DecodeHistory(ctx, converter.WorkflowSerializationContext{Namespace: c.options.Namespace, WorkflowID: id}, history)
}
