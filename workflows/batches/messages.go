package batches

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.temporal.io/sdk/workflow"
)

// handleMessages installs the query and the updates. Updates only change settings and
// never block; the main coroutine acts on them.
func (r *batchRun) handleMessages(ctx workflow.Context) error {
	err := workflow.SetQueryHandlerWithOptions(ctx, ProgressQuery,
		func() (Progress, error) { return r.progress(ctx), nil },
		workflow.QueryHandlerOptions{Description: "counts, charges, rate, and the reason if no jobs start"})
	if err != nil {
		return err
	}
	for _, update := range []struct {
		name, description string
		validate          func() error
		apply             func()
	}{
		{PauseUpdate, "start no more jobs until resume; those that are open go on", r.pausable, func() { r.Paused = true }},
		{ResumeUpdate, "go on after pause", r.resumable, func() { r.Paused = false }},
		{StopUpdate, "start no more jobs and end the batch when the open ones have ended", r.stoppable, func() { r.stop("an operator stopped the batch") }},
		{RetryUpdate, "at the end, go through the manifest once more and run what failed; pay again only for what kie.ai made no video for", r.retryable, func() { r.RetryRequested = true }},
	} {
		err := workflow.SetUpdateHandlerWithOptions(ctx, update.name, func(ctx workflow.Context) (Progress, error) {
			update.apply()
			return r.changed(ctx), nil
		}, workflow.UpdateHandlerOptions{
			Description: update.description,
			Validator:   func(workflow.Context) error { return update.validate() },
		})
		if err != nil {
			return err
		}
	}
	return workflow.SetUpdateHandlerWithOptions(ctx, SetConcurrencyUpdate, func(ctx workflow.Context, given concurrency) (Progress, error) {
		if given.unreadable != nil {
			panic(given.unreadable)
		}
		r.Concurrency = given.jobs
		return r.changed(ctx), nil
	}, workflow.UpdateHandlerOptions{
		Description: "set the greatest number of open jobs; open jobs above it go on",
		Validator: func(_ workflow.Context, given concurrency) error {
			if given.unreadable != nil {
				return fmt.Errorf("batch %s can't use this update: %w", r.id, given.unreadable)
			}
			return checkConcurrency(given.jobs)
		},
	})
}

// concurrency is the input of SetConcurrencyUpdate, a number in JSON.
type concurrency struct {
	jobs int
	// unreadable is the codec's error. The validator rejects such an update.
	unreadable error
}

func (c *concurrency) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &c.jobs) }

// Unreadable implements codec.UpdateInput.
func (c *concurrency) Unreadable(err error) { c.unreadable = err }

// changed wakes the main coroutine after an update.
func (r *batchRun) changed(ctx workflow.Context) Progress {
	r.wake.SendAsync(true)
	return r.progress(ctx)
}

func (r *batchRun) pausable() error {
	switch {
	case r.Stopped != "":
		return r.isStopped()
	case r.Paused:
		return errors.New("batch " + r.id + " is paused already")
	default:
		return nil
	}
}

func (r *batchRun) resumable() error {
	switch {
	case r.Stopped != "":
		return r.isStopped()
	case !r.Paused:
		return errors.New("batch " + r.id + " is not paused")
	default:
		return nil
	}
}

func (r *batchRun) stoppable() error {
	if r.Stopped != "" {
		return r.isStopped()
	}
	return nil
}

func (r *batchRun) retryable() error {
	switch {
	case r.Stopped != "":
		return fmt.Errorf("batch %s is stopped (%s) and runs nothing again. Next: when its open jobs have ended (%d): lumaflow batch retry %s", r.id, r.Stopped, len(r.Window), r.id)
	case r.RetryRequested:
		return errors.New("batch " + r.id + " retries what failed already, when it has come to its end")
	default:
		return nil
	}
}

func (r *batchRun) isStopped() error {
	return errors.New("batch " + r.id + " is stopped (" + r.Stopped + "): start it again to go on")
}

// settleMessages waits for the updates that are running.
func (r *batchRun) settleMessages(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}
