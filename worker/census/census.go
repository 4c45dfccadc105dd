// Package census counts all jobs of a task queue at intervals: how many are in
// which stage, the age of the oldest, and the paid videos that are not stored.
// The counts come from Temporal, not from the events of one process. Of all
// workers that poll the task queue, one at a time counts.
package census

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/starter"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

const (
	// interval separates two counts of the open jobs, guardInterval two searches of
	// Guard. mediaEvery is the number of counts per search for media at risk, whose time
	// left is measured in hours.
	interval      = 30 * time.Second
	mediaEvery    = 30
	guardInterval = time.Hour
	// openTimeout bounds a count of the open jobs, of which maxOpen are listed and
	// maxQueries are queried for their stage.
	openTimeout = 20 * time.Second
	maxOpen     = 5000
	maxQueries  = 100
	// maxStale is how long a gauge keeps its value after the next count was due: the
	// alert LumaflowNoWorker fires after the same time. handover is how long it does
	// without the turn, until the next worker counts.
	maxStale = 5 * time.Minute
	handover = 2 * time.Minute
	// urgent is the time before the deletion of a video from which the log warns,
	// warnInterval separates two warnings.
	urgent       = kie.MediaKept / 2
	warnInterval = time.Hour
	// exporterSuffix marks the identity of a worker that exports metrics.
	exporterSuffix = "metrics"
)

// Jobs reads the jobs. *starter.Starter is one.
type Jobs interface {
	List(ctx context.Context, filter starter.Filter) (entries []starter.Entry, more bool, err error)
	Count(ctx context.Context, filter starter.Filter) (int, error)
	AtRisk(ctx context.Context, filter starter.RiskFilter) (starter.Risks, error)
	OpenBatches(ctx context.Context, taskQueue string) ([]batches.Progress, error)
}

// Pollers finds workers that poll the task queue. pollers.Queue is one.
type Pollers interface {
	Any(ctx context.Context, match func(*taskqueuepb.PollerInfo) bool) (bool, error)
}

// Options are the dependencies of a census. All but Now, the clock, are required.
type Options struct {
	Jobs      Jobs
	Pollers   Pollers
	TaskQueue string
	// Identity is the result of the function Identity for this worker.
	Identity string
	Metrics  client.MetricsHandler
	Logger   *slog.Logger
	Now      func() time.Time
}

// Identity returns the identity under which a worker has to poll, so that the
// census of another worker gives precedence to a worker that exports metrics.
func Identity(identity string, exportsMetrics bool) string {
	if exportsMetrics {
		return identity + exporterSuffix
	}
	return identity
}

// Census holds the state between two counts. It is not safe for concurrent use.
type Census struct {
	options Options
	// counts is the number of complete counts, failed means that the last one was not.
	counts int
	failed bool
	// openAt and mediaAt are the times at which the gauges of open jobs and those of
	// media were set, zero if they have no value, warnedAt that of the last warning.
	openAt, mediaAt, warnedAt time.Time
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
		if !turn {
			c.forget(handover, handover)
		} else {
			err := count(ctx)
			if err != nil && ctx.Err() == nil && !c.failed {
				c.options.Logger.Warn("the jobs can't be counted; gauges keep their values for some minutes and are NaN then", "error", err)
			}
			c.failed = err != nil
		}
		// Jitter spreads workers that started together.
		select {
		case <-time.After(interval - interval/10 + rand.N(interval/5)):
		case <-ctx.Done():
		}
	}
}

// hasTurn reports whether this worker counts: of the workers that poll the task queue,
// the first by identity among those that export metrics. A worker that has stopped
// remains among the pollers for 90 seconds. If Temporal does not list them, this one
// counts: two counts do less harm than none.
func (c *Census) hasTurn(ctx context.Context) bool {
	exports := strings.HasSuffix(c.options.Identity, exporterSuffix)
	preceded, err := c.options.Pollers.Any(ctx, func(poller *taskqueuepb.PollerInfo) bool {
		other := poller.GetIdentity()
		if strings.HasSuffix(other, exporterSuffix) != exports {
			return !exports
		}
		return other < c.options.Identity
	})
	return err != nil || !preceded
}

// Count counts once and sets the gauges. After a failure those that it has not reached
// keep their values until they are too old, and are NaN then; the census timestamp
// keeps its value.
func (c *Census) Count(ctx context.Context) error {
	defer c.forget(interval+maxStale, mediaEvery*interval+maxStale)
	if err := c.countOpen(ctx); err != nil {
		return fmt.Errorf("count the open jobs: %w", err)
	}
	if err := c.countBatches(ctx); err != nil {
		return fmt.Errorf("count the open batches: %w", err)
	}
	if c.counts%mediaEvery == 0 || c.mediaAt.IsZero() {
		if err := c.countMedia(ctx); err != nil {
			return err
		}
	}
	metrics.CensusTime.Set(c.options.Metrics, float64(c.options.Now().Unix()))
	c.counts++
	return nil
}

// countOpen sets the gauges of the open jobs. A job beyond the limits is in an unknown
// stage, and so is one that has just ended: visibility lags behind.
func (c *Census) countOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	filter := starter.Filter{Open: true, TaskQueue: c.options.TaskQueue, Limit: maxOpen, Queries: maxQueries}
	open, more, err := c.options.Jobs.List(ctx, filter)
	total := len(open)
	if err == nil && more {
		total, err = c.options.Jobs.Count(ctx, filter)
	}
	if err != nil {
		return err
	}
	stages, oldest := map[string]int{metrics.StageUnknown: max(total-len(open), 0)}, c.options.Now()
	for _, job := range open {
		stage := string(job.Stage)
		if !slices.Contains(metrics.Jobs.Labels[0].Values, stage) {
			stage = metrics.StageUnknown
		}
		stages[stage]++
		if job.StartedAt.Before(oldest) {
			oldest = job.StartedAt
		}
	}
	for _, stage := range metrics.Jobs.Labels[0].Values {
		metrics.Jobs.Set(c.options.Metrics, float64(stages[stage]), stage)
	}
	metrics.ChargesUnresolved.Set(c.options.Metrics, float64(stages[string(workflows.StageSubmitUnknown)]))
	metrics.OldestJob.Set(c.options.Metrics, c.options.Now().Sub(oldest).Seconds())
	c.openAt = c.options.Now()
	return nil
}

// countMedia searches for paid videos that no job has stored, as `lumaflow list
// --at-risk` does, and sets the gauges: their number and the time until kie.ai
// deletes the first. From day 7 on the log warns of them.
func (c *Census) countMedia(ctx context.Context) error {
	risks, err := c.options.Jobs.AtRisk(ctx, starter.RiskFilter{TaskQueue: c.options.TaskQueue, Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("search for videos that are not stored: %w", err)
	}
	hoursLeft, late := math.Inf(1), 0
	for _, risk := range risks.Found {
		hours := max(risk.DeletedAt.Sub(c.options.Now()).Hours(), 0)
		hoursLeft = min(hoursLeft, hours)
		if hours <= urgent.Hours() {
			late++
		}
	}
	if late > 0 && c.options.Now().Sub(c.warnedAt) >= warnInterval {
		c.warnedAt = c.options.Now()
		c.options.Logger.Warn("finished videos are not stored and kie.ai deletes them 14 days after their tasks ended",
			"videos", late, "hoursLeft", int(hoursLeft), "next", "lumaflow list --at-risk")
	}
	metrics.MediaAtRisk.Set(c.options.Metrics, float64(len(risks.Found)))
	metrics.MediaHoursLeft.Set(c.options.Metrics, hoursLeft)
	c.mediaAt = c.options.Now()
	return nil
}

// forget sets gauges to NaN whose values are older than the given ages.
func (c *Census) forget(openAge, mediaAge time.Duration) {
	if !c.openAt.IsZero() && c.options.Now().Sub(c.openAt) > openAge {
		c.openAt = time.Time{}
		metrics.Jobs.Forget(c.options.Metrics)
		metrics.ChargesUnresolved.Forget(c.options.Metrics)
		metrics.OldestJob.Forget(c.options.Metrics)
		metrics.Batches.Forget(c.options.Metrics)
		metrics.BatchIdle.Forget(c.options.Metrics)
		metrics.BatchJobs.Forget(c.options.Metrics)
	}
	if !c.mediaAt.IsZero() && c.options.Now().Sub(c.mediaAt) > mediaAge {
		c.mediaAt = time.Time{}
		metrics.MediaAtRisk.Forget(c.options.Metrics)
		metrics.MediaHoursLeft.Forget(c.options.Metrics)
	}
}
