package runs

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// ProbeMemo is the key of the memo of a batch that names the one job which submits
// while kie.ai holds the account.
const ProbeMemo = "lumaProbe"

// Probe returns the job that submits for a batch while kie.ai holds the account. It is
// empty if there is none: the batch has named none or is over, or that job submits no
// more, because its submission was accepted, because that or the job itself is paused,
// or because the job has ended.
func (r Reader) Probe(ctx context.Context, batchID string) (jobID string, err error) {
	batch, err := r.Server.DescribeWorkflow(ctx, batchID, "")
	if NotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("describe batch %s: %w", batchID, err)
	}
	info := batch.RawResponse.GetWorkflowExecutionInfo()
	named := info.GetMemo().GetFields()[ProbeMemo]
	if named == nil || !IsOpen(info) || r.data(batchID).FromPayload(named, &jobID) != nil {
		return "", nil
	}
	job, err := r.Server.DescribeWorkflow(ctx, jobID, "")
	if NotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("describe job %s: %w", jobID, err)
	}
	if job.RawResponse.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return "", nil
	}
	if PendingSubmit(job.RawResponse) == nil {
		return "", nil
	}
	return jobID, nil
}

// PendingSubmit is the submission of a job that is under way or waits for its next
// attempt; nil if there is none, or if an operator has paused it.
func PendingSubmit(described *workflowservice.DescribeWorkflowExecutionResponse) *workflowpb.PendingActivityInfo {
	for _, pending := range described.GetPendingActivities() {
		if pending.GetActivityType().GetName() == submitName && !pending.GetPaused() {
			return pending
		}
	}
	return nil
}
