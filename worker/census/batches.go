package census

import (
	"context"
	"slices"
	"time"

	"lumaflow/internal/telemetry/metrics"
)

// countBatches sets the gauges of the open batches. A batch without an answer is in an
// unknown phase.
func (c *Census) countBatches(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	open, err := c.options.Jobs.OpenBatches(ctx, c.options.TaskQueue)
	if err != nil {
		return err
	}
	phases, idle, jobs := map[string]int{}, map[string]time.Duration{}, map[string]int{}
	for _, batch := range open {
		phase := string(batch.Phase)
		if !slices.Contains(metrics.Batches.Labels[0].Values, phase) {
			phase = metrics.StageUnknown
		}
		phases[phase]++
		if !batch.StartedAt.IsZero() {
			last := slices.MaxFunc([]time.Time{batch.StartedAt, batch.LastEndAt}, time.Time.Compare)
			idle[phase] = max(idle[phase], c.options.Now().Sub(last))
		}
		jobs[metrics.BatchDone] += batch.Done
		jobs[metrics.BatchFailed] += batch.Failed
		jobs[metrics.BatchInFlight] += batch.InFlight
		jobs[metrics.BatchNotStarted] += batch.NotStarted
	}
	for _, phase := range metrics.Batches.Labels[0].Values {
		metrics.Batches.Set(c.options.Metrics, float64(phases[phase]), phase)
		metrics.BatchIdle.Set(c.options.Metrics, idle[phase].Seconds(), phase)
	}
	for _, state := range metrics.BatchJobs.Labels[0].Values {
		metrics.BatchJobs.Set(c.options.Metrics, float64(jobs[state]), state)
	}
	return nil
}
