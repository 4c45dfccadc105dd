package runs

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/paid"
)

const (
	// markDelay keeps a marked job from its first workflow task until it is
	// terminated, also if this process ends in between.
	markDelay = 14 * 24 * time.Hour
	// endedReason is the reason of the termination.
	endedReason = "a person ended the job that paid for the task"
)

// mark records a task that is not to be collected as the memo of a collecting job
// that never runs. The list of paid videos without a file then has it, and
// `lumaflow submit --task-id` starts that job.
func (c collection) mark(ctx context.Context) (Outcome, error) {
	outcome, err := c.known(ctx)
	if err != nil || outcome != "" {
		return outcome, err
	}
	run, err := c.Starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       CollectorID(c.taskID),
		TaskQueue:                                c.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StartDelay:                               markDelay,
		StaticSummary:                            "task " + c.taskID + " is not collected: " + endedReason,
		Memo: map[string]any{paid.MemoKey: paid.Facts{
			TaskID: c.taskID, PaidOpen: true, EndedAt: time.Now().UTC(), Next: c.command(),
		}},
	}, modifyVideoName, taskRef{TaskID: c.taskID})
	switch {
	case alreadyStarted(err):
		// A failed collecting job is listed by itself, a concurrent mark is terminated
		// by its own process.
		return AtRisk, nil
	case err != nil:
		return "", fmt.Errorf("record the task: %w", err)
	}
	return AtRisk, c.endMark(ctx, run.GetRunID())
}

// marking reports whether a run is a mark that is not terminated yet.
func marking(run *workflowpb.WorkflowExecutionInfo) bool {
	return open(run) && run.GetExecutionTime().AsTime().Sub(run.GetStartTime().AsTime()) >= markDelay
}

// endMark terminates a mark, so that it never runs.
func (c collection) endMark(ctx context.Context, runID string) error {
	err := c.Starter.TerminateWorkflow(ctx, CollectorID(c.taskID), runID, endedReason+" "+c.workflowID+"; collect it with: "+c.command())
	if err != nil && !notFound(err) {
		return fmt.Errorf("record the task: %w", err)
	}
	return nil
}

func (c collection) command() string { return "lumaflow submit --task-id " + c.taskID }
