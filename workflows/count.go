package workflows

import (
	"cmp"
	"math"
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
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

// count counts the end of the job by its result, and the cost of its task by the
// outcome of the task.
func (j *job) count(ctx workflow.Context, result, outcome string) {
	handler := workflow.GetMetricsHandler(ctx)
	metrics.JobsEnded.Add(handler, 1, result)
	if j.status.Credits == nil {
		return
	}
	if j.input.TaskID != "" {
		// The job that paid may have counted the task.
		outcome = metrics.CreditsAdopted
	}
	metrics.Millicredits.Add(handler, int64(math.Round(*j.status.Credits*1000)), cmp.Or(j.model(), activities.DefaultModel), outcome)
}
