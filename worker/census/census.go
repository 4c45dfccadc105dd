// Package census counts all jobs of a task queue at intervals: how many are in
// which stage, the age of the oldest, and the paid videos that are not stored.
// The counts come from Temporal, not from the events of one process. Of all
// workers that poll the task queue, one at a time counts.
package census

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/telemetry/metrics"
	"lumaflow/starter"
)

const (
	// interval separates two counts of the open jobs, guardInterval two searches of
	// Guard. mediaEvery is the number of counts per search for media at risk: the time
	// left is measured in hours.
	interval      = 30 * time.Second
	mediaEvery    = 30
	guardInterval = time.Hour
	// maxStale is how long a gauge keeps its value after the next count was due.
	// The alert LumaflowNoWorker fires after the same time.
	maxStale = 5 * time.Minute
	// handover is how long a gauge keeps its value without the turn: the time until
	// the next worker counts, so that the series has no gap.
	handover = 2 * time.Minute
)

// Jobs reads the jobs. *starter.Starter is one.
type Jobs interface {
	List(ctx context.Context, filter starter.Filter) (entries []starter.Entry, more bool, err error)
	Count(ctx context.Context, filter starter.Filter) (int, error)
	AtRisk(ctx context.Context, filter starter.RiskFilter) (starter.Risks, error)
}

// Options are the dependencies of a census. All but Now are required.
type Options struct {
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
	for turn := true; ctx.Err() == nil; turn = c.hasTurn(ctx) {
		if turn {
			err := count(ctx)
			if err != nil && ctx.Err() == nil && !c.failed {
				c.options.Logger.Warn("the jobs can't be counted; gauges keep their values for some minutes and are NaN then", "error", err)
			}
			c.failed = err != nil
		} else {
			c.forget(handover, handover)
		}
		// Jitter spreads workers that started together.
		select {
		case <-time.After(interval - interval/10 + rand.N(interval/5)):
		case <-ctx.Done():
		}
	}
}

// forget sets gauges to NaN whose values are older than the given ages.
func (c *Census) forget(openAge, mediaAge time.Duration) {
	old := func(at *time.Time, age time.Duration) bool {
		expired := !at.IsZero() && c.options.Now().Sub(*at) > age
		if expired {
			*at = time.Time{}
		}
		return expired
	}
	if old(&c.openAt, openAge) {
		metrics.Jobs.Forget(c.options.Metrics)
		metrics.ChargesUnresolved.Forget(c.options.Metrics)
		metrics.OldestJob.Forget(c.options.Metrics)
	}
	if old(&c.mediaAt, mediaAge) {
		metrics.MediaAtRisk.Forget(c.options.Metrics)
		metrics.MediaHoursLeft.Forget(c.options.Metrics)
	}
}
