package starter

import (
	"context"
	"errors"
	"time"

	"lumaflow/internal/oneline"
)

// WatchBatch calls show with the status of a batch, at intervals and at its end, until
// it is over or ctx is done. It returns the last report, and the cause of ctx's end if
// that came first. It outlasts a restart of Temporal.
func (s *Starter) WatchBatch(ctx context.Context, id string, show func(BatchReport)) (BatchReport, error) {
	last := BatchReport{WorkflowID: id, State: StateUnknown}
	answeredAt := time.Now()
	for {
		report, err := s.BatchStatus(ctx, id)
		switch {
		case ctx.Err() != nil:
			return last, context.Cause(ctx)
		case err == nil:
			if report.Progress == nil {
				// The last one is shown beside the note.
				report.Progress = last.Progress
			}
			last, answeredAt = report, time.Now()
			show(last)
			if !last.State.Open() {
				return last, nil
			}
		case errors.Is(err, ErrNoBatch), errors.Is(err, ErrOtherWorkflow), rejected(err):
			return last, err
		case time.Since(answeredAt) >= outage:
			clean := oneline.Clean(id)
			return last, &requestError{"Temporal has not answered for " + outage.String() + "; batch " + clean + " continues by itself, watch it again with: lumaflow batch status " + clean + " --watch", err}
		default:
			last.Note = "Temporal does not answer; the batch continues, the requests are retried"
			show(last)
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.interval):
		}
	}
}
