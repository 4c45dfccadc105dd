package starter

import (
	"context"
	"time"
)

// cancelPatience is how long Cancel waits for a job to end. Only a submission
// under way takes longer: its outcome must be known first.
const cancelPatience = 10 * time.Second

// Cancellation is what became of a request to cancel a job.
type Cancellation struct {
	// Report is the job after the request. It may still be open: it ends when
	// its worker has heard of the request. kie.ai has no cancel: the job's task
	// goes on, is paid and can be adopted later.
	Report Report
	// Already says that the job had ended before and nothing was requested.
	Already bool
}

// Cancel asks a job to end and, if a worker is there to hear it, waits a moment
// for it to do so.
func (s *Starter) Cancel(ctx context.Context, id string) (Cancellation, error) {
	before, err := s.Status(ctx, id)
	if err != nil || !before.State.Open() {
		return Cancellation{Report: before, Already: err == nil}, err
	}
	if err := s.requestCancel(ctx, before); err != nil {
		return Cancellation{Report: before}, err
	}
	if before.Status == nil {
		return Cancellation{Report: before}, nil
	}
	s.awaitClose(ctx, before)
	after, err := s.report(ctx, id, before.RunID)
	if after.TaskID == "" {
		after.TaskID = before.TaskID
	}
	return Cancellation{Report: after}, err
}

func (s *Starter) requestCancel(ctx context.Context, job Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.temporal.CancelWorkflow(ctx, job.WorkflowID, job.RunID)
	if err == nil || notFound(err) {
		// If it ended in between, its state says how.
		return nil
	}
	return failed("cancel job "+plain(job.WorkflowID), err)
}

// awaitClose gives a job time to end. How it ends is read afterwards.
func (s *Starter) awaitClose(ctx context.Context, job Report) {
	ctx, cancel := context.WithTimeout(ctx, cancelPatience)
	defer cancel()
	_, _ = s.lastEvent(ctx, job, true)
}
