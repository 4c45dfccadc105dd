package batches

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// b stays nil: its methods serve as activity references.
var b *activities.Batches

const (
	// jobPriority is behind that of a single job, which has Temporal's default of 3.
	jobPriority = 4
	// maxFairnessKey is Temporal's limit in bytes.
	maxFairnessKey = 64
)

// manifestPolicy is for the activities that read a whole manifest or write results.
func manifestPolicy(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Minute,
		HeartbeatTimeout:    45 * time.Second,
		Summary:             summary,
		RetryPolicy:         backoff(),
	})
}

// sweepPolicy is for the look-up of the open jobs, 16 at a time; a second is enough for
// each. A sweep whose worker died is repeated soon, since the window waits for it.
func sweepPolicy(ctx workflow.Context, jobs int) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30*time.Second + time.Duration(jobs)*time.Second/16,
		Summary:             "look up the open jobs of the batch",
		RetryPolicy:         backoff(),
	})
}

// backoff grows the interval from a second to half a minute.
func backoff() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second}
}

// jobOptions are for a job of the batch, which outlives it. A job that has run before
// is started only if it was looked up and that can't pay a second time.
func jobOptions(ctx workflow.Context, id, summary string, again bool) workflow.Context {
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if again {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
	}
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            id,
		WorkflowIDReusePolicy: reuse,
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         summary,
		Priority:              temporal.Priority{PriorityKey: jobPriority, FairnessKey: fairnessKey(workflow.GetInfo(ctx).WorkflowExecution.ID)},
	})
}

// fairnessKey identifies a batch, so that several share the rate of submissions.
func fairnessKey(batchID string) string {
	if len(batchID) <= maxFairnessKey {
		return batchID
	}
	hash := sha256.Sum256([]byte(batchID))
	return hex.EncodeToString(hash[:16])
}
