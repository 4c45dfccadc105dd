package census

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/starter"
	"lumaflow/workflows"
)

const (
	// openTimeout bounds a count of the open jobs, of which maxOpen are listed and
	// maxQueries are queried for their stage.
	openTimeout = 20 * time.Second
	maxOpen     = 5000
	maxQueries  = 100
	// urgent is the time before the deletion of a video from which the log warns,
	// warnInterval separates two warnings.
	urgent       = kie.MediaKept / 2
	warnInterval = time.Hour
)

// Count counts once and sets the gauges. After a failure the gauges that it has
// not reached keep their values until these are too old, and are NaN then. The
// census timestamp keeps its value.
func (c *Census) Count(ctx context.Context) error {
	defer c.forget(interval+maxStale, mediaEvery*interval+maxStale)
	if err := c.countOpen(ctx); err != nil {
		return fmt.Errorf("count the open jobs: %w", err)
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

// countOpen sets the gauges of the open jobs. A job beyond the limits is in an
// unknown stage, and so is an ended one: visibility lags behind.
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
	stages := map[string]int{metrics.StageUnknown: max(total-len(open), 0)}
	oldest := c.options.Now()
	for _, job := range open {
		stage := string(job.Stage)
		if !slices.Contains(metrics.Jobs.Values, stage) {
			stage = metrics.StageUnknown
		}
		stages[stage]++
		if job.StartedAt.Before(oldest) {
			oldest = job.StartedAt
		}
	}
	for _, stage := range metrics.Jobs.Values {
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
