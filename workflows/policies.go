package workflows

import (
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
)

// a stays nil: its methods serve as activity references.
var a *activities.Activities

// Every call of an activity uses one of these presets.

// submitPolicy is for the paid request. The server retries refusals and failed
// connections, but no timeout: its meaning depends on the evidence that the
// attempt left, and the workflow decides by it. A cancelled job waits for the
// outcome, because the task may be paid.
func submitPolicy(ctx workflow.Context, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              SubmitTaskQueue(workflow.GetInfo(ctx).TaskQueueName),
		ScheduleToStartTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    3 * time.Minute,
		HeartbeatTimeout:       20 * time.Second,
		WaitForCancellation:    true,
		Summary:                "submit to kie.ai (the one paid request)",
		RetryPolicy:            backoff("TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat", "PanicError"),
	})
}

// recoveryPriority is before all other work: it decides about payments that were made,
// and an operator may wait for it.
var recoveryPriority = temporal.Priority{PriorityKey: 1}

// earlierRunsPolicy is for reading the earlier runs of the job from Temporal. The
// activity ends an attempt in time and continues in the next; one run has at most 50 MB
// of history.
func earlierRunsPolicy(ctx workflow.Context, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    10 * time.Minute,
		HeartbeatTimeout:       30 * time.Second,
		Priority:               recoveryPriority,
		Summary:                "read the payments of the earlier runs of this job",
		RetryPolicy:            backoff(),
	})
}

// readTimeout bounds one read of a record. The client ends it after 25 s, so a
// longer one means a dead worker.
const readTimeout = 30 * time.Second

// identifyPolicy is for reading one record. The attempts end after within, and not
// before activities.IdentifyTime has passed.
func identifyPolicy(ctx workflow.Context, taskID string, within time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: max(within, activities.IdentifyTime),
		StartToCloseTimeout:    readTimeout,
		Priority:               recoveryPriority,
		Summary:                "read kie.ai's record of task " + taskID,
		RetryPolicy:            constantInterval(5 * time.Second),
	})
}

// pollPolicy is for a wait of any length in one activity: each poll is a retry,
// and the activity sets the time of the next one and of the last, so that the
// history does not grow with the wait.
func pollPolicy(ctx workflow.Context, taskID string, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    readTimeout,
		Summary:                "poll task " + taskID + " until it has ended",
		RetryPolicy:            constantInterval(30 * time.Second),
	})
}

// downloadPolicy is for the download of one video. Progress is its heartbeat, and
// a worker without heartbeats is dead.
func downloadPolicy(ctx workflow.Context, summary string, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    2 * time.Hour,
		HeartbeatTimeout:       45 * time.Second,
		WaitForCancellation:    true,
		Summary:                summary,
		RetryPolicy:            backoff(),
	})
}

// sourcePolicy is for the copy of the source. The job cancels it once its videos have
// been stored for sourceGrace, and waits for the outcome of a running attempt, so that
// the receipt lists what is stored.
func sourcePolicy(ctx workflow.Context, taskID string, deadline time.Time) workflow.Context {
	return downloadPolicy(ctx, "keep the source of task "+taskID, deadline)
}

// confirmPolicy is for one read of the record within the workflow task that received
// the callback.
func confirmPolicy(ctx workflow.Context, taskID string) workflow.Context {
	return withinTask(ctx, "confirm the end of task "+taskID)
}

// localReceiptPolicy is for one attempt to write the receipt within the workflow
// task.
func localReceiptPolicy(ctx workflow.Context) workflow.Context {
	return withinTask(ctx, "write the receipt")
}

// reportPolicy is for one attempt to report the end of the job to its batch within the
// workflow task.
func reportPolicy(ctx workflow.Context) workflow.Context {
	return withinTask(ctx, "report the end to the batch")
}

// withinTask is for one attempt of a local activity. The SDK asks for another workflow
// task if local activities run longer than 8 s.
func withinTask(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: 5 * time.Second,
		Summary:                summary,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// receiptPolicy is for the receipt if the local attempt failed.
func receiptPolicy(ctx workflow.Context, deadline time.Time) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pastDeadline(ctx, deadline),
		StartToCloseTimeout:    time.Minute,
		Summary:                "write the receipt",
		RetryPolicy:            backoff(),
	})
}

// collectorOptions are for the job that collects a task beside this job's own.
func collectorOptions(taskID string) workflow.ChildWorkflowOptions {
	return workflow.ChildWorkflowOptions{
		WorkflowID:            runs.CollectorID(taskID),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         "collect task " + taskID,
	}
}

// backoff grows the interval from a second to a minute.
func backoff(nonRetryable ...string) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:        time.Second,
		BackoffCoefficient:     2,
		MaximumInterval:        time.Minute,
		NonRetryableErrorTypes: nonRetryable,
	}
}

func constantInterval(interval time.Duration) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: interval, BackoffCoefficient: 1}
}

// pastDeadline leaves enough time for the last attempt of an activity that ends
// itself at the deadline. The timeout applies if no worker runs the activity.
func pastDeadline(ctx workflow.Context, deadline time.Time) time.Duration {
	return max(deadline.Sub(workflow.Now(ctx)), 0) + 5*time.Minute
}
