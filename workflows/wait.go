package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

const (
	wokenByCallback = "callback"
	wokenByPoll     = "poll"
)

const (
	// minPollTime is the time between two interruptions of a poll by callbacks. A
	// poll that a callback started begins with short intervals.
	minPollTime = time.Minute
	// maxInterruptions bounds the events that a flood of callbacks adds to the
	// history.
	maxInterruptions = 50
	// defaultPollAfter applies if no result has brought a worker's setting.
	defaultPollAfter = 30 * time.Second
)

// completion is the successful end of a task.
type completion struct {
	record  activities.Finished
	wokenBy string
	// keptFrom is the start of the time that kie.ai keeps the videos: the end of
	// the task, or its submission if the record has no end.
	keptFrom time.Time
}

// awaitEnd waits until kie.ai's record has the end of the task. A callback only
// makes the next poll due at once.
func (j *job) awaitEnd(ctx workflow.Context, task *paidTask) (completion, error) {
	if task.adopted {
		j.enter(ctx, StageWaiting, "polling kie.ai until task "+task.id+" has ended")
	} else if usual := j.settings.Usual; usual > 0 {
		j.enter(ctx, StageWaiting, "kie.ai works on task "+task.id+" of "+j.input.Model+"; it usually takes about "+shortDuration(usual.Round(10*time.Second)))
	} else {
		j.enter(ctx, StageWaiting, "kie.ai works on task "+task.id+"; it takes 2 to 20 minutes")
	}
	callback := task.callback
	if callback == nil && !task.adopted {
		var err error
		if callback, err = j.awaitCallback(ctx, task); err != nil {
			return completion{}, err
		}
	}
	if finished, confirmed := j.confirm(ctx, task, callback); confirmed {
		return j.complete(ctx, task, finished, callback), nil
	}
	for interruptions := 0; ; interruptions++ {
		finished, interruption, err := j.poll(ctx, task, callback, interruptions < maxInterruptions)
		if err != nil {
			return completion{}, j.pollFailure(ctx, task, err)
		}
		if interruption == nil {
			return j.complete(ctx, task, finished, callback), nil
		}
		callback = interruption
	}
}

// confirm returns the end of a task that a callback reports if the record confirms
// it at once. Runs of lumaflow v0.1 only poll.
func (j *job) confirm(ctx workflow.Context, task *paidTask, callback *Callback) (finished activities.Finished, confirmed bool) {
	if callback == nil || !j.settings.Facts {
		return finished, false
	}
	err := workflow.ExecuteLocalActivity(confirmPolicy(ctx, task.id), a.Confirm, activities.ConfirmInput{TaskID: task.id, Model: j.model()}).Get(ctx, &finished)
	return finished, err == nil && finished.TaskID != ""
}

// complete counts the end of a task and what woke the job.
func (j *job) complete(ctx workflow.Context, task *paidTask, finished activities.Finished, callback *Callback) completion {
	j.status.Polls += finished.Polls
	completed := completion{record: finished, wokenBy: wokenByPoll, keptFrom: finished.CompletedAt}
	if finished.CompletedAt.IsZero() {
		completed.keptFrom = task.submittedAt
		completed.record.CompletedAt = workflow.Now(ctx).UTC()
	}
	if callback != nil && finished.Polls <= activities.QuickAsks {
		completed.wokenBy = wokenByCallback
	}
	j.endedAt = finished.CompletedAt
	j.status.Credits = finished.Credits
	if j.input.TaskID != "" && !j.endedAt.IsZero() || finished.Credits != nil {
		// A task of any other submitter may have ended long ago.
		j.remember(ctx, task)
	}
	countWakeup(ctx, completed, j.settings.Callbacks && !task.adopted && callback == nil)
	return completed
}

// awaitCallback waits for a callback about the task until polling is due. It
// returns nil if none came.
func (j *job) awaitCallback(ctx workflow.Context, task *paidTask) (callback *Callback, err error) {
	after := j.settings.PollAfter
	if j.settings == (activities.Settings{}) {
		after = defaultPollAfter
	}
	after = max(min(after, j.until.Sub(workflow.Now(ctx))), 0)
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	due := false
	selector := workflow.NewSelector(ctx)
	j.callbacks.addTo(ctx, selector, func(received Callback) {
		if j.isAbout(ctx, task, received) {
			callback = &received
		}
	})
	selector.AddFuture(workflow.NewTimerWithOptions(timerCtx, after, workflow.TimerOptions{Summary: "wait for the callback of task " + task.id}),
		func(timer workflow.Future) { due, err = true, timer.Get(ctx, nil) })
	for callback == nil && !due {
		selector.Select(ctx)
	}
	return callback, err
}

// poll runs one Poll activity. It returns the end of the task or, if the poll is
// interruptible, the callback that interrupted it.
func (j *job) poll(ctx workflow.Context, task *paidTask, callback *Callback, interruptible bool) (finished activities.Finished, interruption *Callback, err error) {
	input := activities.PollInput{TaskID: task.id, Model: j.model(), Until: j.until}
	if callback != nil {
		input.WokenByCallback = true
		if callback.Code == 200 {
			input.CallbackURLs = callback.ResultURLs
		}
	}
	activityCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	started := workflow.Now(ctx)
	future := workflow.ExecuteActivity(pollPolicy(activityCtx, task.id, j.until), a.Poll, input)
	done := false
	selector := workflow.NewSelector(ctx)
	j.callbacks.addTo(ctx, selector, func(received Callback) {
		due := callback == nil || workflow.Now(ctx).Sub(started) >= minPollTime
		if j.isAbout(ctx, task, received) && interruptible && due && !future.IsReady() {
			interruption = &received
		}
	})
	selector.AddFuture(future, func(end workflow.Future) { done, err = true, end.Get(ctx, &finished) })
	for interruption == nil && !done {
		selector.Select(ctx)
	}
	return finished, interruption, err
}

// isAbout reports whether a callback is about the task. One about another task
// may be about an unknown submission.
func (j *job) isAbout(ctx workflow.Context, task *paidTask, callback Callback) bool {
	if callback.TaskID == task.id {
		return true
	}
	workflow.GetLogger(ctx).Warn("callback for another task", "taskId", task.id, "callbackTaskId", callback.TaskID)
	j.payments.addCandidate(callback.TaskID, j.status.TaskID)
	j.addStray(ctx, callback.TaskID)
	return false
}

// pollFailure maps an error of Poll to the failure of the job.
func (j *job) pollFailure(ctx workflow.Context, task *paidTask, err error) error {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && failed.HasDetails() {
		// The cost is missing if the record has none.
		var polls int
		var credits *float64
		if failed.Details(&polls, &credits) == nil {
			j.status.Polls += polls
		}
		if credits != nil {
			j.rememberCredits(ctx, *credits)
		}
	}
	switch {
	case errorType(err) == GenerationFailed:
		next := "change the prompt or the video and submit again; the same submit command starts a new, paid task"
		if j.input.TaskID != "" {
			next = "change the prompt or the video and submit it as a new job"
		}
		return failure{errorType: GenerationFailed, taskID: task.id, text: causeText(err), next: next}
	case temporal.IsCanceledError(err):
		return err
	default:
		return j.overdue(ctx, task.id, err)
	}
}
