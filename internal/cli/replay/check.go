package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

const (
	// listPage is how many jobs are known at a time, readers how many histories:
	// Temporal stores at most 50 MB of each.
	listPage = 500
	readers  = 4
	// listTimeout bounds the reading of one page, historyTimeout that of one
	// job's whole history.
	listTimeout    = 30 * time.Second
	historyTimeout = time.Minute
)

// Temporal is what a check asks of Temporal. client.Client is one.
type Temporal interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Selection says which jobs are replayed: all that are open, and Closed of those
// that ended last.
type Selection struct {
	Closed int
	// TaskQueue selects jobs by task queue; empty means all.
	TaskQueue string
}

// Counts are how many jobs were replayed.
type Counts struct {
	Open   int `json:"open"`
	Closed int `json:"closed"`
	// Gone counts the jobs that Temporal forgot while they were being read.
	Gone int `json:"gone"`
}

// Check replays the selected jobs and stops at the first that would break: its
// *BreakError names the job. Any other error means that the check is incomplete.
// Temporal's lists lag behind by up to a few seconds, and a job that ends
// meanwhile may be replayed twice. Tell, if it is not nil, is told how far it
// is, by several goroutines.
func Check(ctx context.Context, through Temporal, selection Selection, options Options, tell func(Counts)) (Counts, error) {
	working, ctx := errgroup.WithContext(ctx)
	working.SetLimit(readers)
	check := &check{temporal: through, options: options, working: working, tell: tell}
	err := check.list(ctx, selection.query("CloseTime IS NULL"), -1, &check.counts.Open)
	if err == nil && selection.Closed > 0 {
		err = check.list(ctx, selection.query("CloseTime IS NOT NULL"), selection.Closed, &check.counts.Closed)
	}
	// The first job that failed is why the list was not read to its end.
	if failed := working.Wait(); failed != nil {
		err = failed
	}
	return check.counts, err
}

func (s Selection) query(state string) string {
	terms := []string{workflows.Equals("WorkflowType", workflows.ModifyVideoName), state}
	if s.TaskQueue != "" {
		terms = append(terms, workflows.Equals("TaskQueue", s.TaskQueue))
	}
	return strings.Join(terms, " AND ")
}

type check struct {
	temporal Temporal
	options  Options
	working  *errgroup.Group
	tell     func(Counts)

	mu     sync.Mutex
	counts Counts
}

// list has the jobs of a query replayed while it reads on, at most limit of
// them if that is not negative. Temporal lists the latest first.
func (c *check) list(ctx context.Context, query string, limit int, counter *int) error {
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
			c.working.Go(func() error { return c.job(ctx, job, counter) })
		}
		request.NextPageToken = page.GetNextPageToken()
		if len(request.NextPageToken) == 0 {
			return nil
		}
	}
}

func (c *check) page(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	return c.temporal.ListWorkflow(ctx, request)
}

// job replays one job.
func (c *check) job(ctx context.Context, job *workflowpb.WorkflowExecutionInfo, counter *int) error {
	id, runID := job.GetExecution().GetWorkflowId(), job.GetExecution().GetRunId()
	history, err := c.history(ctx, id, runID)
	var gone *serviceerror.NotFound
	switch {
	case errors.As(err, &gone):
		counter = &c.counts.Gone
	case err != nil:
		return fmt.Errorf("read the history of job %s: %w", command.Plain(id), err)
	default:
		err = Replay(ctx, history, c.options)
		var broken *BreakError
		if errors.As(err, &broken) {
			broken.WorkflowID, broken.RunID = id, runID
			return broken
		}
		if err != nil {
			return fmt.Errorf("replay job %s: %w", command.Plain(id), err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	*counter++
	if c.tell != nil {
		c.tell(c.counts)
	}
	return nil
}

func (c *check) history(ctx context.Context, id, runID string) (*historypb.History, error) {
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
	return history, c.options.Codec.DecodeMessage(ctx, history)
}
