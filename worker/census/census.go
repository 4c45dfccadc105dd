// Package census counts all jobs of a task queue at intervals: how many are in
// which stage, the age of the oldest, and the paid videos that are not stored.
// The counts come from Temporal, not from the events of one process. Of all
// workers that poll the task queue, one at a time counts.
package census

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/telemetry/metrics"
	"lumaflow/starter"
	"lumaflow/workflows"
)

const (
	// interval separates two counts of the open jobs, openTimeout bounds one.
	interval    = 30 * time.Second
	openTimeout = 20 * time.Second
	// mediaEvery is the number of counts per search for media at risk, and
	// guardInterval separates two searches of Guard. The time left is measured in
	// hours, and a search reads the history of every job that ended without its
	// video.
	mediaEvery    = 30
	guardInterval = time.Hour
	// maxStale is how long a gauge keeps its value after the next count was due.
	// The alert LumaflowNoWorker fires after the same time.
	maxStale = 5 * time.Minute
	// handover is how long a gauge keeps its value without the turn: the time until
	// the next worker counts, so that the series has no gap.
	handover = 2 * time.Minute
)

// The bounds of one count, which hold for any number of jobs.
const (
	listPage = 500
	// maxOpen is the number of jobs that are listed, the latest first.
	maxOpen = 5000
	// maxQueries is the number of jobs that are queried for their stage,
	// concurrentQueries at once, each within queryTimeout.
	maxQueries        = 100
	concurrentQueries = 8
	queryTimeout      = 5 * time.Second
	// maxUnanswered is the number of failed queries that end the querying. One
	// stuck job proves nothing about the others.
	maxUnanswered = concurrentQueries
)

// Temporal is the part of client.Client that a census needs.
type Temporal interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	CountWorkflow(ctx context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
}

// Jobs finds the media at risk. *starter.Starter is one.
type Jobs interface {
	AtRisk(ctx context.Context, filter starter.RiskFilter) (starter.Risks, error)
}

// Options are the dependencies of a census. All but Now are required.
type Options struct {
	Temporal  Temporal
	Jobs      Jobs
	Pollers   Pollers
	TaskQueue string
	// Identity is the result of the function Identity for this worker.
	Identity string
	// Metrics takes the gauges.
	Metrics client.MetricsHandler
	Logger  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Census holds the state between two counts. It is not safe for concurrent use.
type Census struct {
	options Options
	// counts is the number of complete counts.
	counts int
	// failed suppresses further warnings until a count succeeds.
	failed bool
	// openAt and mediaAt are the times at which the gauges of open jobs and those
	// of media were set; zero if they have no value.
	openAt, mediaAt time.Time
	// warnedAt is the time of the last warning about media that will be deleted.
	warnedAt time.Time
}

// New returns a census that has not counted yet.
func New(options Options) *Census {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Census{options: options}
}

// Run counts twice a minute, in turn with the other workers, until ctx ends.
func (c *Census) Run(ctx context.Context) { c.repeat(ctx, interval, c.Count) }

// Guard is for workers that export no metrics: it searches for media at risk
// once an hour, in turn with the other workers, and logs a warning about them.
func (c *Census) Guard(ctx context.Context) { c.repeat(ctx, guardInterval, c.countMedia) }

// repeat counts at once, since the workers that this one replaces are still
// listed as pollers, and then whenever it has the turn.
func (c *Census) repeat(ctx context.Context, interval time.Duration, count func(context.Context) error) {
	for turn := true; ; turn = c.hasTurn(ctx) {
		if turn {
			c.try(ctx, count)
		} else {
			c.forget(handover, handover)
		}
		// Jitter spreads workers that started together.
		pause := interval - interval/10 + rand.N(interval/5)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

func (c *Census) try(ctx context.Context, count func(context.Context) error) {
	err := count(ctx)
	if err != nil && ctx.Err() == nil && !c.failed {
		c.options.Logger.Warn("the jobs can't be counted; gauges keep their values for some minutes and are NaN then", "error", err)
	}
	c.failed = err != nil
}

// Count counts once and sets the gauges. After a failure the gauges that it has
// not reached keep their values until these are too old, and are NaN then. The
// census timestamp keeps its value.
func (c *Census) Count(ctx context.Context) error {
	err := c.count(ctx)
	c.forget(interval+maxStale, mediaEvery*interval+maxStale)
	return err
}

// forget sets gauges to NaN whose values are older than the given ages.
func (c *Census) forget(openAge, mediaAge time.Duration) {
	if !c.openAt.IsZero() && c.options.Now().Sub(c.openAt) > openAge {
		c.openAt = time.Time{}
		metrics.Jobs.Forget(c.options.Metrics)
		metrics.ChargesUnresolved.Forget(c.options.Metrics)
		metrics.OldestJob.Forget(c.options.Metrics)
	}
	if !c.mediaAt.IsZero() && c.options.Now().Sub(c.mediaAt) > mediaAge {
		c.mediaAt = time.Time{}
		metrics.MediaAtRisk.Forget(c.options.Metrics)
		metrics.MediaHoursLeft.Forget(c.options.Metrics)
	}
}

func (c *Census) count(ctx context.Context) error {
	open, err := c.countOpen(ctx)
	if err != nil {
		return fmt.Errorf("count the open jobs: %w", err)
	}
	for _, stage := range metrics.Jobs.Values {
		metrics.Jobs.Set(c.options.Metrics, float64(open.stages[stage]), stage)
	}
	metrics.ChargesUnresolved.Set(c.options.Metrics, float64(open.stages[string(workflows.StageSubmitUnknown)]))
	age := time.Duration(0)
	if !open.oldest.IsZero() {
		age = max(c.options.Now().Sub(open.oldest), 0)
	}
	metrics.OldestJob.Set(c.options.Metrics, age.Seconds())
	c.openAt = c.options.Now()
	if c.counts%mediaEvery == 0 || c.mediaAt.IsZero() {
		if err := c.countMedia(ctx); err != nil {
			return err
		}
	}
	metrics.CensusTime.Set(c.options.Metrics, float64(c.options.Now().Unix()))
	c.counts++
	return nil
}
