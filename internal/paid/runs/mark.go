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
	// terminated. If this process ends in between, the job collects the task then,
	// which costs nothing.
	markDelay = time.Hour
	// endedReason is the reason of the termination.
	endedReason = "a person ended the job that paid for the task"
)

// mark records a task that is not to be collected as the memo of a collecting job
// that never runs. The list of paid videos without a file then has it, and
// `lumaflow submit --task-id` starts that job.
func (c collection) mark(ctx context.Context) (Outcome, error) {
	run, err := c.Starter.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       CollectorID(c.taskID),
		TaskQueue:                                c.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StartDelay:                               markDelay,
		StaticSummary:                            Summary("task " + c.taskID + " is not collected: a person ended its job"),
		Memo: map[string]any{paid.MemoKey: paid.Facts{
			TaskID: c.taskID, PaidOpen: true, EndedAt: time.Now().UTC(), Next: paid.CollectCommand(c.taskID),
		}},
	}, modifyVideoName, taskRef{TaskID: c.taskID})
	switch {
	case AlreadyStarted(err):
		// A failed collecting job is listed by itself, a concurrent mark is terminated
		// by its own process.
		return AtRisk, nil
	case err != nil:
		return "", fmt.Errorf("record the task: %w", err)
	}
	return AtRisk, c.endMark(ctx, run.GetRunID())
}

// IsMark reports whether a collecting job is a mark that is not terminated yet. It has
// not begun, and the task is not to be collected unless a person starts the job.
func IsMark(collector *workflowpb.WorkflowExecutionInfo) bool {
	begins, delay := collector.GetExecutionTime().AsTime(), collector.GetExecutionTime().AsTime().Sub(collector.GetStartTime().AsTime())
	return open(collector) && collector.GetMemo().GetFields()[paid.MemoKey] != nil && delay >= markDelay && begins.After(time.Now())
}

// endMark terminates a mark, so that it never runs.
func (c collection) endMark(ctx context.Context, runID string) error {
	err := c.Starter.TerminateWorkflow(ctx, CollectorID(c.taskID), runID, endedReason+" "+c.workflowID+"; collect it with: "+paid.CollectCommand(c.taskID))
	if err != nil && !NotFound(err) {
		return fmt.Errorf("record the task: %w", err)
	}
	return nil
}
