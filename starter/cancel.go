package starter

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
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
	// Already says that the job had ended before.
	Already bool
	// NoWorker says that no worker is there to hear the request.
	NoWorker bool
}

// Cancel asks a job to end and waits a moment for it to do so.
func (s *Starter) Cancel(ctx context.Context, id string) (Cancellation, error) {
	before, err := s.Status(ctx, id)
	if err != nil {
		return Cancellation{}, err
	}
	outcome := Cancellation{Report: before, Already: !before.State.Open()}
	if outcome.Already {
		return outcome, nil
	}
	if err := s.requestCancel(ctx, before); err != nil {
		return outcome, err
	}
	described, err := s.describe(ctx, id, before.RunID)
	if err != nil {
		return outcome, err
	}
	if there, known := s.workerThere(ctx, taskQueue(described)); known && !there {
		outcome.NoWorker = true
	} else {
		s.awaitClose(ctx, before)
	}
	after, err := s.Status(ctx, id)
	if err != nil {
		return outcome, err
	}
	if after.TaskID == "" {
		after.TaskID = before.TaskID
	}
	outcome.Report = after
	return outcome, nil
}

func (s *Starter) requestCancel(ctx context.Context, job Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.temporal.CancelWorkflow(ctx, job.WorkflowID, job.RunID)
	if notFound(err) {
		// It ended in between; its state says how.
		return nil
	}
	if err != nil {
		return failed(fmt.Sprintf("cancel job %s", plain(job.WorkflowID)), err)
	}
	return nil
}

// awaitClose gives a job time to end. How it ends is read afterwards.
func (s *Starter) awaitClose(ctx context.Context, job Report) {
	ctx, cancel := context.WithTimeout(ctx, cancelPatience)
	defer cancel()
	_ = s.temporal.GetWorkflow(ctx, job.WorkflowID, job.RunID).
		GetWithOptions(ctx, nil, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
}
