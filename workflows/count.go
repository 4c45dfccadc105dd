package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/telemetry/metrics"
)

// What a job counts goes to the handler of its workflow, which is silent during
// replay. A workflow task that has to be done again counts again.

// overdueAfter is how long after the end of a task its callback counts as
// overdue.
const overdueAfter = time.Minute

// countUnknown counts a submission whose outcome is not known.
func countUnknown(ctx workflow.Context) {
	metrics.Submissions.Add(workflow.GetMetricsHandler(ctx), 1, metrics.SubmissionUnknown)
}

// countWakeup counts what ended a wait. Missed says that a callback was expected
// and did not come.
func countWakeup(ctx workflow.Context, completed completion, missed bool) {
	handler := workflow.GetMetricsHandler(ctx)
	metrics.Wakeups.Add(handler, 1, completed.wokenBy)
	if missed && workflow.Now(ctx).Sub(completed.record.CompletedAt) > overdueAfter {
		metrics.CallbacksOverdue.Add(handler, 1)
	}
}

// countDelay takes how long the finished task was at the provider only. The
// clocks of both may differ.
func countDelay(ctx workflow.Context, completedAt time.Time) {
	metrics.FinishedToStored.Observe(workflow.GetMetricsHandler(ctx), max(workflow.Now(ctx).Sub(completedAt), 0))
}

// countJob counts the end of a job.
func countJob(ctx workflow.Context, result string) {
	metrics.JobsEnded.Add(workflow.GetMetricsHandler(ctx), 1, result)
}
