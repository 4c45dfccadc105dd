package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// The kinds of work a job has done. Every call of an activity says which kind
// it is.

// submitPolicy is for the paid request. Refusals and connections that never came
// about are retried by the server. A timeout is not: what it means depends on
// the evidence that the attempt left, and that is for the workflow to read. A
// cancelled job waits for the outcome, because the task may be paid.
func submitPolicy(ctx workflow.Context, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              SubmitTaskQueue(workflow.GetInfo(ctx).TaskQueueName),
		ScheduleToStartTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    3 * time.Minute,
		HeartbeatTimeout:       20 * time.Second,
		WaitForCancellation:    true,
		Summary:                "submit to kie.ai (the one paid request)",
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
			NonRetryableErrorTypes: []string{
				"TemporalTimeout:StartToClose",
				"TemporalTimeout:Heartbeat",
				"PanicError",
			},
		},
	})
}

// recordTimeout bounds one look at a record. The client itself ends it after 25 s,
// so what takes longer is a dead worker.
const recordTimeout = 30 * time.Second

// identifyPolicy is a look at one record, tried for as long as within.
func identifyPolicy(ctx workflow.Context, taskID string, within time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: max(within, time.Minute),
		StartToCloseTimeout:    recordTimeout,
		Summary:                "ask kie.ai about task " + taskID,
		RetryPolicy:            constantInterval(5 * time.Second),
	})
}

// pollPolicy is one activity for a wait of any length: each poll is a retry, and
// the activity itself says when the next is due and when to stop.
func pollPolicy(ctx workflow.Context, taskID string, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    recordTimeout,
		Summary:                "poll task " + taskID + " until it has ended",
		RetryPolicy:            constantInterval(30 * time.Second),
	})
}

// downloadPolicy streams one video. Progress is its heartbeat, and a dead worker is
// noticed by the lack of it.
func downloadPolicy(ctx workflow.Context, summary string, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    2 * time.Hour,
		HeartbeatTimeout:       45 * time.Second,
		WaitForCancellation:    true,
		Summary:                summary,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	})
}

// localReceiptPolicy is small local work, done within the workflow task or not at all.
func localReceiptPolicy(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 5 * time.Second,
		Summary:                "write the receipt",
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// receiptPolicy is the same work when it did not succeed in passing.
func receiptPolicy(ctx workflow.Context, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    time.Minute,
		Summary:                "write the receipt",
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	})
}

func constantInterval(interval time.Duration) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: interval, BackoffCoefficient: 1}
}

// pastDeadline leaves an activity that ends itself at the deadline enough time
// for a last attempt; the timeout is for the case that no worker runs it.
func pastDeadline(ctx workflow.Context, deadline time.Time) time.Duration {
	return max(deadline.Sub(workflow.Now(ctx)), 0) + 5*time.Minute
}
