package starter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid"
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

// checkUnpaid returns a *PaidError unless it is certain that a run with this id does
// not pay a second time. It reads all runs that Temporal has: the last one, which has
// ended and is nil if it is deleted, may not be the one that paid.
func (s *Starter) checkUnpaid(ctx context.Context, id string, last *workflowpb.WorkflowExecutionInfo) error {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var known []runs.Run
	var err error
	if last != nil {
		known = make([]runs.Run, 1)
		known[0], err = s.runs.Run(ctx, last)
	}
	var job runs.Job
	if err == nil {
		job, err = s.runs.Job(ctx, id, known...)
	}
	if err != nil {
		return failed("find out whether job "+oneline.Clean(id)+" has paid for a task", err)
	}
	payments := slices.DeleteFunc(job.Payments(), func(p runs.Payment) bool { return p.NoVideo })
	if len(payments) == 0 {
		return nil
	}
	owed := payments[max(slices.IndexFunc(payments, func(p runs.Payment) bool { return p.TaskID != "" && !p.Stored }), 0)]
	next := paid.CollectCommand(owed.TaskID)
	if facts := owed.Run.Facts; facts.TaskID == owed.TaskID && strings.HasPrefix(facts.Next, "lumaflow ") {
		next = facts.Next
	}
	return &PaidError{id, owed.TaskID, next, stateOf(owed.Run.Info.GetStatus()), endType(owed.Run)}
}

// lookupTimeout bounds the list of a job that is new, as far as Temporal has it.
const lookupTimeout = 5 * time.Second

// checkForgotten is checkUnpaid for an id without a latest run: a person may have
// deleted it, and an earlier one may have paid. Nearly always the id is new, so that
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
	default:
		return s.checkUnpaid(ctx, sub.id, nil)
	}
}
