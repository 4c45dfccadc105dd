// Package census counts, now and then, all jobs of a task queue: what they are
// doing, how old the oldest is, and which paid videos are not stored yet. It asks
// Temporal's list of jobs, so it knows what no single process has seen, and every
// worker comes to the same numbers.
package census

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/metrics"
	"lumaflow/store"
	"lumaflow/workflows"
)

const (
	// interval lies between two counts, and each has censusTime at most.
	interval   = 30 * time.Second
	censusTime = 25 * time.Second
	// mediaEvery is how many counts there are to one look at the videos that are
	// not stored.
	mediaEvery = 10
)

// What one count may ask for, so that any number of jobs is bearable.
const (
	listPage = 500
	// maxOpen and maxClosed are how many jobs are listed, the latest first.
	maxOpen, maxClosed = 5000, 2500
	// maxAsked is how many jobs are asked for their stage, maxRead how many
	// histories are read, maxSought for how many videos it is looked whether
	// somebody has collected them.
	maxAsked, maxRead, maxSought = 100, 200, 100
	// askers is how many of these questions are under way at once.
	askers = 8
	// askTime bounds one of them.
	askTime = 5 * time.Second
)

// Temporal is what a census asks of Temporal. client.Client is one.
type Temporal interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	CountWorkflow(ctx context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
}

// Options are what a census works with. All but DataConverter, SearchAttributes
// and Now are required.
type Options struct {
	Temporal  Temporal
	TaskQueue string
	// Store is where collected videos have their receipts.
	Store store.Store
	// Metrics takes the gauges.
	Metrics client.MetricsHandler
	Logger  *slog.Logger
	// DataConverter reads histories. It must be the client's own; nil means the
	// SDK's default.
	DataConverter converter.DataConverter
	// SearchAttributes reports whether the namespace has lumaflow's search
	// attributes; nil means no.
	SearchAttributes func(context.Context) bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Census keeps what one count leaves for the next. It is not for concurrent use.
type Census struct {
	Options
	// known are the ended jobs whose history was read, by run id.
	known map[string]*media
	// counts is how many times it has counted, silent that the last one failed.
	counts int
	silent bool
}

// New returns a census that has not counted yet.
func New(options Options) *Census {
	if options.DataConverter == nil {
		options.DataConverter = converter.GetDefaultDataConverter()
	}
	if options.SearchAttributes == nil {
		options.SearchAttributes = func(context.Context) bool { return false }
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Census{Options: options, known: map[string]*media{}}
}

// Run counts twice a minute until ctx ends.
func (c *Census) Run(ctx context.Context) {
	for {
		c.count(ctx)
		// Workers that were started together drift apart.
		pause := time.NewTimer(interval - interval/10 + rand.N(interval/5))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return
		}
	}
}

func (c *Census) count(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, censusTime)
	defer cancel()
	err := c.Count(bounded)
	if err != nil && ctx.Err() == nil && !c.silent {
		c.Logger.Warn("the jobs can't be counted; the gauges of all jobs stay as they are", "error", err)
	}
	c.silent = err != nil
}

// Count counts once and sets the gauges. If it fails, those that it has not
// reached keep their values and the time of the last census stays.
func (c *Census) Count(ctx context.Context) error {
	open, err := c.countOpen(ctx)
	if err != nil {
		return fmt.Errorf("count the open jobs: %w", err)
	}
	for _, stage := range metrics.Jobs.Values {
		metrics.Jobs.Set(c.Metrics, float64(open.stages[stage]), stage)
	}
	metrics.ChargesUnresolved.Set(c.Metrics, float64(open.stages[string(workflows.StageSubmitUnknown)]))
	age := time.Duration(0)
	if !open.oldest.IsZero() {
		age = max(c.Now().Sub(open.oldest), 0)
	}
	metrics.OldestJob.Set(c.Metrics, age.Seconds())
	if c.counts%mediaEvery == 0 {
		if err := c.countMedia(ctx, open.collecting); err != nil {
			return fmt.Errorf("look for videos that are not stored: %w", err)
		}
	}
	metrics.CensusTime.Set(c.Metrics, float64(c.Now().Unix()))
	c.counts++
	return nil
}

// ofQueue is the query for the jobs of the task queue.
func (c *Census) ofQueue(more string) string {
	return workflows.Equals("WorkflowType", workflows.ModifyVideoName) + " AND " + workflows.Equals("TaskQueue", c.TaskQueue) + " AND " + more
}

// list gives the jobs of a query to each, at most limit, the latest first. It
// reports whether that were all.
func (c *Census) list(ctx context.Context, query string, limit int, each func(*workflowpb.WorkflowExecutionInfo)) (all bool, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: listPage}
	for listed := 0; ; {
		page, err := c.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return false, err
		}
		for _, job := range page.GetExecutions() {
			if listed++; listed > limit {
				return false, nil
			}
			each(job)
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return true, nil
		}
	}
}

func (c *Census) number(ctx context.Context, query string) (int, error) {
	answer, err := c.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	return int(answer.GetCount()), err
}
