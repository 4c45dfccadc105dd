package starter

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

const (
	// resolveTimeout bounds a resolution. Before it adopts a task, the job requests
	// the task's record from kie.ai, for at most a minute.
	resolveTimeout = 90 * time.Second
	// cancelWait bounds the wait for a cancelled job to end. Only a submission in
	// flight takes longer, because its outcome must be known first.
	cancelWait = 10 * time.Second
)

// Resolve resolves a submission with an unknown outcome. A nil error means that
// the job has applied the resolution. After an error about time the job may still
// apply it; its status shows that.
func (s *Starter) Resolve(ctx context.Context, id string, resolution workflows.Resolution) (workflows.Status, error) {
	var status workflows.Status
	described, err := s.describe(ctx, id, "")
	if err != nil {
		return status, err
	}
	report := newReport(described.GetWorkflowExecutionInfo())
	if !report.State.Open() {
		return status, fmt.Errorf("job %s has ended (%s), there is nothing to resolve; see: lumaflow status %s", oneline.Clean(id), report.State, oneline.Clean(id))
	}
	if _, err := s.query(ctx, id, report.RunID); err != nil {
		if note := s.noWorkerNote(ctx, queueOf(described)); note != "" {
			return status, errors.New("job " + oneline.Clean(id) + " can't take a decision now: " + note)
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
		return status, resolveError(oneline.Clean(id), "has not taken the decision", err)
	}
	if err := update.Get(ctx, &status); err != nil {
		return status, resolveError(oneline.Clean(id), "has not carried the decision out", err)
	}
	return status, nil
}

// resolveError describes a resolution that was not applied, or not yet.
func resolveError(id, missing string, err error) error {
	message := ""
	refused, isRefused := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case isRefused:
		message = "not resolved: " + oneline.Clean(refused.Message())
	case runs.NotFound(err):
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

// Cancellation is the result of a request to cancel a job.
type Cancellation struct {
	// Report is the job after the request. It may still be open: it ends when a
	// worker handles the request. kie.ai has no cancel: the job's task continues, is
	// paid and can be adopted later.
	Report Report
	// Already means that the job had ended before and nothing was requested.
	Already bool
}

// Cancel requests the cancellation of a job and, if a worker serves it, waits at
// most ten seconds for its end. By and reason may be empty; they are in the history, and
// not encrypted.
func (s *Starter) Cancel(ctx context.Context, id, by, reason string) (Cancellation, error) {
	before, err := s.report(ctx, id, "")
	if err != nil || !before.State.Open() {
		return Cancellation{Report: before, Already: err == nil}, err
	}
	requesting, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// A job that has ended since is reported with its state.
	// The SDK's CancelWorkflow has no reason.
	_, err = s.temporal.WorkflowService().RequestCancelWorkflowExecution(requesting, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace:         s.namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: before.RunID},
		Identity:          by,
		Reason:            reason,
		RequestId:         rand.Text(),
	})
	if err != nil && !runs.NotFound(err) {
		return Cancellation{Report: before}, failed("cancel job "+oneline.Clean(id), err)
	}
	if before.Status == nil {
		return Cancellation{Report: before}, nil
	}
	waiting, cancel := context.WithTimeout(ctx, cancelWait)
	defer cancel()
	// The report has the end, or shows that the job is still open.
	_, _ = s.runs.End(waiting, id, before.RunID, true)
	after, err := s.report(ctx, id, before.RunID)
	after.TaskID = cmp.Or(after.TaskID, before.TaskID)
	return Cancellation{Report: after}, err
}
