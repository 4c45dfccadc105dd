package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/workflows"
)

// resolveTimeout bounds a resolution. Before it adopts a task, the job requests
// the task's record from kie.ai, for at most a minute.
const resolveTimeout = 90 * time.Second

// Resolve resolves a submission with an unknown outcome. A nil error means that
// the job has applied the resolution. After an error about time the job may still
// apply it; its status shows that.
func (s *Starter) Resolve(ctx context.Context, id string, resolution workflows.Resolution) (workflows.Status, error) {
	var status workflows.Status
	described, err := s.describe(ctx, id, "")
	if err != nil {
		return status, err
	}
	report := newReport(described)
	if !report.State.Open() {
		return status, fmt.Errorf("job %s has ended (%s), there is nothing to resolve; see: lumaflow status %s", plain(id), report.State, plain(id))
	}
	if _, err := s.query(ctx, id, report.RunID); err != nil {
		if note := s.noWorkerNote(ctx, queueOf(described)); note != "" {
			return status, errors.New("job " + plain(id) + " can't take a decision now: " + note)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	update, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   id,
		RunID:        report.RunID,
		UpdateName:   workflows.ResolveUpdate,
		Args:         []any{resolution},
		WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return status, resolveError(plain(id), "has not taken the decision", err)
	}
	if err := update.Get(ctx, &status); err != nil {
		return status, resolveError(plain(id), "has not carried the decision out", err)
	}
	return status, nil
}

// resolveError describes a resolution that was not applied, or not yet.
func resolveError(id, missing string, err error) error {
	message := ""
	refused, isRefused := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case isRefused:
		message = "not resolved: " + plain(refused.Message())
	case notFound(err):
		message = fmt.Sprintf("job %s has just ended, there is nothing to resolve", id)
	case interrupted(err):
		message = fmt.Sprintf("interrupted: job %s may still take the decision", id)
	case is[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err), unanswered(err):
		message = fmt.Sprintf("job %s %s in %s and may still do so when a worker answers", id, missing, resolveTimeout)
	default:
		return failed("resolve job "+id, err)
	}
	return &requestError{message + "; see: lumaflow status " + id, err}
}
