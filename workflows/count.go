package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/telemetry/metrics"
)

// A workflow counts with the metrics handler of its context, which is silent
// during replay. A workflow task that fails and runs again counts again.

// overdueAfter is the time from the end of a task until its callback is overdue.
const overdueAfter = time.Minute

// countWakeup counts the end of a wait by its cause. A callback is missed if it
// was expected and did not arrive.
func countWakeup(ctx workflow.Context, completed completion, missed bool) {
	handler := workflow.GetMetricsHandler(ctx)
	metrics.Wakeups.Add(handler, 1, completed.wokenBy)
	if missed && workflow.Now(ctx).Sub(completed.record.CompletedAt) > overdueAfter {
		metrics.CallbacksOverdue.Add(handler, 1)
	}
}

// countDelay observes the time from the end of the task until its files are
// stored, at least 0: the clocks of kie.ai and of the server may differ.
func countDelay(ctx workflow.Context, completedAt time.Time) {
	metrics.FinishedToStored.Observe(workflow.GetMetricsHandler(ctx), max(workflow.Now(ctx).Sub(completedAt), 0))
}

// countJob counts a job by its result.
func countJob(ctx workflow.Context, result string) {
	metrics.JobsEnded.Add(workflow.GetMetricsHandler(ctx), 1, result)
}
