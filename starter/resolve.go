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

// resolveTimeout bounds a resolution. To adopt a task, the job asks kie.ai for
// its record first, for at most a minute.
const resolveTimeout = 90 * time.Second

// Resolve decides what becomes of a submission with an unknown outcome. A nil
// error means that the job has taken the decision. If the error is about time,
// the job may still take it; its status tells.
func (s *Starter) Resolve(ctx context.Context, id string, decision workflows.Resolution) (workflows.Status, error) {
	described, err := s.describe(ctx, id, "")
	if err != nil {
		return workflows.Status{}, err
	}
	report := newReport(described)
	if !report.State.Open() {
		return workflows.Status{}, fmt.Errorf("job %s has ended (%s), there is nothing to resolve; see: lumaflow status %s",
			plain(id), report.State, plain(id))
	}
	if _, err := s.query(ctx, id, report.RunID); err != nil {
		if there, known := s.workerThere(ctx, placeOf(described)); known && !there {
			return workflows.Status{}, errors.New("job " + plain(id) + " can't take a decision now: " + placeOf(described).noWorker())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	update, err := s.temporal.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   id,
		RunID:        report.RunID,
		UpdateName:   workflows.ResolveUpdate,
		Args:         []any{decision},
		WaitForStage: client.WorkflowUpdateStageAccepted,
	})
	if err != nil {
		return workflows.Status{}, unresolved(id, "has not taken the decision", err)
	}
	var status workflows.Status
	if err := update.Get(ctx, &status); err != nil {
		return workflows.Status{}, unresolved(id, "has not carried the decision out", err)
	}
	return status, nil
}

// unresolved says why a decision has had no effect, or may yet have one.
func unresolved(id, what string, err error) error {
	var refused *temporal.ApplicationError
	var late *client.WorkflowUpdateServiceTimeoutOrCanceledError
	id = plain(id)
	switch {
	case errors.As(err, &refused):
		return &trouble{fmt.Sprintf("not resolved: %s; see: lumaflow status %s", plain(refused.Message()), id), err}
	case notFound(err):
		return &trouble{fmt.Sprintf("job %s has just ended, there is nothing to resolve; see: lumaflow status %s", id, id), err}
	case interrupted(err):
		return &trouble{fmt.Sprintf("interrupted: job %s may still take the decision; see: lumaflow status %s", id, id), err}
	case errors.As(err, &late), unanswered(err):
		return &trouble{fmt.Sprintf("job %s %s in %s and may still do so when a worker answers; see: lumaflow status %s", id, what, resolveTimeout, id), err}
	default:
		return failed("resolve job "+id, err)
	}
}
