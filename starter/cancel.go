package starter

import (
	"cmp"
	"context"
	"time"
)

// cancelWait bounds the wait for a cancelled job to end. Only a submission in
// flight takes longer, because its outcome must be known first.
const cancelWait = 10 * time.Second

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
// most ten seconds for its end.
func (s *Starter) Cancel(ctx context.Context, id string) (Cancellation, error) {
	before, err := s.Status(ctx, id)
	if err != nil || !before.State.Open() {
		return Cancellation{Report: before, Already: err == nil}, err
	}
	if err := s.requestCancel(ctx, before); err != nil || before.Status == nil {
		return Cancellation{Report: before}, err
	}
	waiting, cancel := context.WithTimeout(ctx, cancelWait)
	defer cancel()
	// The report has the end, or shows that the job is still open.
	_, _ = s.lastEvent(waiting, before, true)
	after, err := s.report(ctx, id, before.RunID)
	after.TaskID = cmp.Or(after.TaskID, before.TaskID)
	return Cancellation{Report: after}, err
}

func (s *Starter) requestCancel(ctx context.Context, job Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.temporal.CancelWorkflow(ctx, job.WorkflowID, job.RunID)
	if err == nil || notFound(err) {
		// A job that has ended since is reported with its state.
		return nil
	}
	return failed("cancel job "+plain(job.WorkflowID), err)
}
