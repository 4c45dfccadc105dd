package starter

import (
	"context"
	"fmt"

	"lumaflow/workflows"
)

// UnsettledError means that the last run of a job ended without its video after
// something was paid or may have been, so that the same job is not started
// again: that could pay twice.
type UnsettledError struct {
	WorkflowID string
	// TaskID is the task that is or may be paid; empty if nobody knows it.
	TaskID string
	// State and Failure are how the run ended.
	State   State
	Failure Failure
}

// Error names the job, the task if it is known, and the ways on.
func (e *UnsettledError) Error() string {
	how := string(e.State)
	if e.State == StateFailed {
		how = "failed with " + e.Failure.Type
	}
	const another = "for another, paid take use a new --key or --id"
	if e.TaskID != "" {
		return fmt.Sprintf("job %s ended (%s) but its task %s is paid, so it is not submitted again: collect it at no cost with `lumaflow submit --task-id %s`; %s",
			plain(e.WorkflowID), how, plain(e.TaskID), plain(e.TaskID), another)
	}
	return fmt.Sprintf("job %s ended (%s) and may have paid for a task, so it is not submitted again: look for the task at https://kie.ai/logs and collect it at no cost with `lumaflow submit --task-id TASKID`; %s",
		plain(e.WorkflowID), how, another)
}

// checkSettled returns an *UnsettledError unless it is certain that another
// run can't pay for what the last one, which has ended, has paid already.
func (s *Starter) checkSettled(ctx context.Context, last Report) error {
	unsettled := &UnsettledError{WorkflowID: last.WorkflowID, State: last.State}
	if last.Failure != nil {
		unsettled.Failure = *last.Failure
	}
	open := false
	if last.State == StateFailed {
		switch unsettled.Failure.Type {
		case workflows.GenerationFailed, workflows.SubmitRefused, workflows.InvalidRequest:
			return nil
		case workflows.SubmitUnknown, workflows.ResultOverdue, workflows.DownloadRejected:
			open = true
		}
	}
	bill, err := s.readBill(ctx, last)
	if err != nil {
		return failed("find out whether job "+plain(last.WorkflowID)+" has paid for a task", err)
	}
	unsettled.TaskID = bill.taskID
	if unsettled.TaskID == "" {
		unsettled.TaskID = last.TaskID
	}
	if open || unsettled.TaskID != "" || bill.open {
		return unsettled
	}
	return nil
}
