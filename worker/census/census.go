// Package census counts, now and then, all jobs of a task queue: what they are
// doing, how old the oldest is, and which paid videos are not stored. It asks
// Temporal, so it knows what no single process has seen, and every worker comes
// to the same numbers.
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
	// interval lies between two counts of the open jobs, each of which has
	// openTime at most.
	interval = 30 * time.Second
	openTime = 20 * time.Second
	// mediaEvery is how many counts there are to one look for videos at risk,
	// guardInterval lies between two looks of who does nothing else. The time that
	// they have left is told in hours, and the look reads the history of every job
	// that ended without its video.
	mediaEvery    = 30
	guardInterval = time.Hour
	// trusted is how long after the next count was due the gauges still say what
	// the last one found. It is as long as LumaflowNoWorker waits.
	trusted = 5 * time.Minute
)

// What one count may ask for, so that any number of jobs is bearable.
const (
	listPage = 500
	// maxOpen is how many jobs are listed, the latest first.
	maxOpen = 5000
	// maxAsked is how many jobs are asked for their stage, askers how many at
	// once, askTime how long one may take.
	maxAsked = 100
	askers   = 8
	askTime  = 5 * time.Second
	// maxSilent is how many may give no answer: one that is stuck says nothing
	// about the others.
	maxSilent = askers
)

// Temporal is what a census asks of Temporal. client.Client is one.
type Temporal interface {
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	CountWorkflow(ctx context.Context, request *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
	QueryWorkflow(ctx context.Context, workflowID, runID, queryType string, args ...any) (converter.EncodedValue, error)
}

// Jobs finds the videos at risk. *starter.Starter does.
type Jobs interface {
	AtRisk(ctx context.Context, filter starter.RiskFilter) (starter.Risks, error)
}

// Options are what a census works with. All but Now are required.
type Options struct {
	Temporal  Temporal
	Jobs      Jobs
	TaskQueue string
	// Metrics takes the gauges.
	Metrics client.MetricsHandler
	Logger  *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Census keeps what one count leaves for the next. It is not for concurrent use.
type Census struct {
	Options
	// counts is how often it has counted, silent says that the last one failed.
	counts int
	silent bool
	// opened and looked are when the gauges of open jobs and those of media were
	// set last; zero if they are not known.
	opened, looked time.Time
	// warned is when the log told last of videos that will be deleted.
	warned time.Time
}

// New returns a census that has not counted yet.
func New(options Options) *Census {
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Census{Options: options}
}

// Run counts twice a minute until ctx ends.
func (c *Census) Run(ctx context.Context) { c.repeat(ctx, interval, c.Count) }

// Guard is for workers whose gauges nobody can see: once an hour it looks for
// videos at risk, for the sake of the log, and counts nothing.
func (c *Census) Guard(ctx context.Context) { c.repeat(ctx, guardInterval, c.countMedia) }

func (c *Census) repeat(ctx context.Context, interval time.Duration, count func(context.Context) error) {
	for {
		c.try(ctx, count)
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

func (c *Census) try(ctx context.Context, count func(context.Context) error) {
	err := count(ctx)
	if err != nil && ctx.Err() == nil && !c.silent {
		c.Logger.Warn("the jobs can't be looked at; what is known of them grows old, and gauges of them are NaN in some minutes", "error", err)
	}
	c.silent = err != nil
}

// Count counts once and sets the gauges. If it fails, those that it has not
// reached keep their values, until they are so old that they would mislead: then
// they are NaN. The time of the last census stays what it is.
func (c *Census) Count(ctx context.Context) error {
	err := c.count(ctx)
	if c.tooOld(&c.opened, interval) {
		metrics.Jobs.Forget(c.Metrics)
		metrics.ChargesUnresolved.Forget(c.Metrics)
		metrics.OldestJob.Forget(c.Metrics)
	}
	if c.tooOld(&c.looked, mediaEvery*interval) {
		metrics.MediaAtRisk.Forget(c.Metrics)
		metrics.MediaHoursLeft.Forget(c.Metrics)
	}
	return err
}

// tooOld reports, once, that what was set every so often has not been for too
// long.
func (c *Census) tooOld(set *time.Time, every time.Duration) bool {
	if set.IsZero() || c.Now().Sub(*set) <= every+trusted {
		return false
	}
	*set = time.Time{}
	return true
}

func (c *Census) count(ctx context.Context) error {
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
	c.opened = c.Now()
	if c.counts%mediaEvery == 0 || c.looked.IsZero() {
		if err := c.countMedia(ctx); err != nil {
			return err
		}
	}
	metrics.CensusTime.Set(c.Metrics, float64(c.Now().Unix()))
	c.counts++
	return nil
}
