package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// sourceGrace bounds how long a job whose videos are stored waits for the copy of its
// source.
const sourceGrace = 10 * time.Minute

// sourceCopy is the copy of the source that a job makes while it waits for its task.
// Nil means that the job keeps none.
type sourceCopy struct {
	// copied is nil if there is no link to the source.
	copied workflow.Future
	cancel workflow.CancelFunc
}

// keepSource starts the copy of the source if the worker that obtained the task keeps
// sources: the link may expire before the task has ended. Jobs that were started by an
// earlier release have no such setting on record and replay without.
func (j *job) keepSource(ctx workflow.Context, task *paidTask) *sourceCopy {
	if !j.settings.KeepSource {
		return nil
	}
	if j.input.VideoURL == "" {
		return &sourceCopy{}
	}
	ctx, cancel := workflow.WithCancel(ctx)
	return &sourceCopy{
		copied: workflow.ExecuteActivity(sourcePolicy(ctx, task.id, j.until), a.KeepSource,
			activities.SourceInput{TaskID: task.id, Model: j.model(), Name: j.input.Name, URL: j.input.VideoURL, SHA256: j.input.VideoSHA256}),
		cancel: cancel,
	}
}

// awaitSource returns the copy of the source, or the reason why there is none. A job
// fails for no source: only its own cancellation is an error.
func (j *job) awaitSource(ctx workflow.Context, task *paidTask, source *sourceCopy) (*activities.KeptSource, error) {
	if source == nil {
		return nil, nil
	}
	var kept activities.KeptSource
	if source.copied == nil {
		kept = activities.MissingSource("kie.ai's record of the task names no source")
		return &kept, nil
	}
	if err := j.awaitCopy(ctx, task, source); err != nil {
		return nil, err
	}
	err := source.copied.Get(ctx, &kept)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case temporal.IsCanceledError(err):
		kept = activities.MissingSource(fmt.Sprintf("no attempt stored it within %s after the videos", sourceGrace))
	case err != nil:
		kept = activities.MissingSource("it was not stored: " + causeText(err))
	}
	return &kept, nil
}

// awaitCopy waits until the copy has ended, at most sourceGrace, and cancels it then.
func (j *job) awaitCopy(ctx workflow.Context, task *paidTask, source *sourceCopy) error {
	if source.copied.IsReady() {
		return nil
	}
	until := workflow.Now(ctx).Add(sourceGrace).UTC().Format(time.RFC3339)
	j.setDetail(ctx, fmt.Sprintf("stored %s of task %s; the source is still being downloaded, until %s at the latest", videoCount(len(j.status.Videos)), task.id, until))
	var err error
	timerCtx, stop := workflow.WithCancel(ctx)
	defer stop()
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(source.copied, func(workflow.Future) {})
	selector.AddFuture(workflow.NewTimerWithOptions(timerCtx, sourceGrace, workflow.TimerOptions{Summary: "give the source of task " + task.id + " up"}),
		func(timer workflow.Future) {
			if err = timer.Get(ctx, nil); err == nil {
				source.cancel()
			}
		})
	selector.Select(ctx)
	return err
}
