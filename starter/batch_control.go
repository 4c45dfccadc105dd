package starter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows/batches"
)

// updateTimeout bounds an update of a batch, which a worker applies at once.
const updateTimeout = 20 * time.Second

// UpdateBatch sends one of the updates of package batches and returns the progress
// after it. The error wraps ErrNoBatch, ErrBatchEnded, or ErrRefused if the batch has
// rejected the update. After an error about time the batch may still apply it.
func (s *Starter) UpdateBatch(ctx context.Context, id, update string, args ...any) (batches.Progress, error) {
	var progress batches.Progress
	report, described, err := s.findBatch(ctx, id)
	switch {
	case err != nil:
		return progress, err
	case !report.State.Open():
		return progress, batchEnded(report)
	}
	if note := s.noWorkerNote(ctx, queueOf(described)); note != "" {
		return progress, errors.New("batch " + oneline.Clean(id) + " can't take an update now: " + note)
	}
	updating, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	handle, err := s.temporal.UpdateWorkflow(updating, client.UpdateWorkflowOptions{
		WorkflowID:   id,
		UpdateName:   update,
		Args:         args,
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(updating, &progress)
	}
	refused, isRefused := errors.AsType[*temporal.ApplicationError](err)
	clean := oneline.Clean(id)
	switch {
	case err == nil:
		return progress, nil
	case isRefused:
		return progress, &requestError{oneline.Clean(refused.Message()), errors.Join(ErrRefused, err)}
	case runs.NotFound(err):
		return progress, &requestError{"batch " + clean + " has just ended; see: lumaflow batch status " + clean, errors.Join(ErrBatchEnded, err)}
	case is[*client.WorkflowUpdateServiceTimeoutOrCanceledError](err), interrupted(err), unanswered(err):
		return progress, &requestError{fmt.Sprintf("batch %s has not confirmed %s and may still apply it; see: lumaflow batch status %s", clean, update, clean), err}
	default:
		return progress, failed(update+" batch "+clean, err)
	}
}

func batchEnded(report BatchReport) error {
	id := oneline.Clean(report.WorkflowID)
	return &requestError{fmt.Sprintf("batch %s is over (%s); to go on with its jobs: lumaflow batch retry %s", id, report.State, id), ErrBatchEnded}
}

// Limits are limits of a batch to change; nil keeps one.
type Limits struct {
	Concurrency, Budget, Canary *int
	MaxFailureRate              *float64
}

// Apply returns an input with the limits.
func (l Limits) Apply(input batches.Input) batches.Input {
	set(&input.Concurrency, l.Concurrency)
	set(&input.Budget, l.Budget)
	set(&input.Canary, l.Canary)
	set(&input.MaxFailureRate, l.MaxFailureRate)
	return input
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// RetryBatch repeats the manifest of a batch: the jobs that failed or were not started
// run, and pay again only if kie.ai made no video. An open batch does so at its end; one
// that is over is started again, with its limits as far as limits leaves them. The error
// wraps ErrNothingToRetry if all its jobs have their videos, and ErrBatchOpen if limits
// are given for an open batch.
func (s *Starter) RetryBatch(ctx context.Context, id string, limits Limits) (Batch, error) {
	report, _, err := s.findBatch(ctx, id)
	if err != nil {
		return Batch{}, err
	}
	if report.State.Open() && limits != (Limits{}) {
		clean := oneline.Clean(id)
		return Batch{}, &requestError{"batch " + clean + " is open and keeps its limits: retry it without them, or when it is over; the number of open jobs: lumaflow batch set-concurrency " + clean + " N", ErrBatchOpen}
	}
	if report.State.Open() {
		progress, err := s.UpdateBatch(ctx, id, batches.RetryUpdate)
		report.Progress = &progress
		return Batch{BatchReport: report, Existing: true}, err
	}
	if report.AllStored() {
		return Batch{}, &requestError{"all jobs of batch " + oneline.Clean(id) + " have their videos: there is nothing to retry", ErrNothingToRetry}
	}
	input, err := s.batchInput(ctx, report)
	if err != nil {
		return Batch{}, err
	}
	input = limits.Apply(input)
	input.RetryFailed = true
	again, err := s.startBatch(ctx, id, input)
	if runs.AlreadyStarted(err) {
		return Batch{}, failed("retry batch "+oneline.Clean(id), err)
	}
	again.Again, again.Budget = err == nil, input.Budget
	if report.Result != nil {
		again.Charges = report.Result.Charges
	}
	return again, err
}
