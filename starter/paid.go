package starter

import (
	"context"
	"fmt"
	"time"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
)

// PaidError means that a job has no video yet but has paid, or may have paid, for a
// task in one of its runs. The job is not started again, because it could pay twice.
type PaidError struct {
	WorkflowID string
	// TaskID is the task that is or may be paid; empty if it is unknown.
	TaskID string
	// Next is the command that collects the task.
	Next string
	// State and FailureType are the end of the run that paid.
	State       State
	FailureType string
}

// Error names the job, the task if it is known, and the next commands.
func (e *PaidError) Error() string {
	end, paid, search := string(e.State), "may have paid for a task", "find the task at https://kie.ai/logs and "
	if e.State == StateFailed {
		end = "failed with " + e.FailureType
	}
	if e.TaskID != "" {
		paid, search = "its task "+oneline.Clean(e.TaskID)+" is paid", ""
	}
	return fmt.Sprintf("job %s ended (%s) and %s, so it is not submitted again: %scollect it at no cost with `%s`; for another, paid take use a new --key or --id",
		oneline.Clean(e.WorkflowID), end, paid, search, oneline.Clean(e.Next))
}

// paidError is the error about a payment that another run would repeat.
func paidError(id string, owed *runs.Payment) error {
	return &PaidError{id, owed.TaskID, owed.Next(), stateOf(owed.Run.Info.GetStatus()), endType(owed.Run)}
}

// lookupTimeout bounds the list of a job that is new, as far as Temporal has it.
const lookupTimeout = 5 * time.Second

// checkForgotten returns a *PaidError if an earlier run of an id without a latest run
// may have paid: a person may have deleted the latest. Nearly always the id is new, so that
// a derived one does not depend on visibility: a list that fails is an empty one.
func (s *Starter) checkForgotten(ctx context.Context, sub startRequest) error {
	listing, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	listed, err := s.runs.All(listing, sub.id)
	switch {
	case err != nil && sub.chosenID:
		return failed("find out whether job "+oneline.Clean(sub.id)+" has paid for a task", err)
	case len(listed) == 0:
		return nil
	}
	reading, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	owed, err := s.runs.Owed(reading, sub.id)
	switch {
	case err != nil:
		return failed("find out whether job "+oneline.Clean(sub.id)+" has paid for a task", err)
	case owed != nil:
		return paidError(sub.id, owed)
	default:
		return nil
	}
}
