package starter

import (
	"cmp"
	"context"
	"fmt"

	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

// PaidError means that the last run of a job ended without its video after it
// paid, or may have paid, for a task. The job is not started again, because it
// could pay twice.
type PaidError struct {
	WorkflowID string
	// TaskID is the task that is or may be paid; empty if it is unknown.
	TaskID string
	// State and Failure are the end of the run.
	State   State
	Failure Failure
}

// Error names the job, the task if it is known, and the next commands.
func (e *PaidError) Error() string {
	end := string(e.State)
	if e.State == StateFailed {
		end = "failed with " + e.Failure.Type
	}
	const another = "for another, paid take use a new --key or --id"
	if e.TaskID != "" {
		return fmt.Sprintf("job %s ended (%s) but its task %s is paid, so it is not submitted again: collect it at no cost with `lumaflow submit --task-id %s`; %s",
			oneline.Clean(e.WorkflowID), end, oneline.Clean(e.TaskID), oneline.Clean(e.TaskID), another)
	}
	return fmt.Sprintf("job %s ended (%s) and may have paid for a task, so it is not submitted again: find the task at https://kie.ai/logs and collect it at no cost with `lumaflow submit --task-id TASKID`; %s",
		oneline.Clean(e.WorkflowID), end, another)
}

// checkUnpaid returns a *PaidError unless it is certain that another run does not
// pay a second time. The last run has ended.
func (s *Starter) checkUnpaid(ctx context.Context, last Report) error {
	if last.Failure.leavesNoVideo() {
		return nil
	}
	tasks, err := s.readTasks(ctx, last.WorkflowID, last.RunID)
	if err != nil {
		return failed("find out whether job "+oneline.Clean(last.WorkflowID)+" has paid for a task", err)
	}
	taskID := cmp.Or(tasks.taskID, last.TaskID)
	mayHavePaid := last.Failure.is(workflows.SubmitUnknown, workflows.ResultOverdue, workflows.DownloadRejected)
	if taskID == "" && !tasks.unknown && !mayHavePaid {
		return nil
	}
	return &PaidError{WorkflowID: last.WorkflowID, TaskID: taskID, State: last.State, Failure: *last.Failure}
}
