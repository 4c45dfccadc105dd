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
	// rewakeAfter is how long a poll that a callback started is left alone when
	// more callbacks come: until then it asks at short intervals anyway.
	rewakeAfter = time.Minute
	// maxWakes bounds what a flood of callbacks can add to the history.
	maxWakes = 50
	// defaultPollAfter stands in for a worker's setting that no result has
	// brought.
	defaultPollAfter = 30 * time.Second
)

// completion is the successful end of a task.
type completion struct {
	record  activities.Finished
	wokenBy string
	// keptFrom is when kie.ai began to keep the videos: the end of the task, or
	// its submission if the record does not tell more.
	keptFrom time.Time
}

// awaitEnd waits until kie.ai's record says that the task has ended. A callback
// only makes the job look sooner.
func (j *job) awaitEnd(ctx workflow.Context, task *paidTask) (completion, error) {
	if task.adopted {
		j.enter(ctx, StageWaiting, "polling kie.ai until task "+task.id+" has ended")
	} else {
		j.enter(ctx, StageWaiting, "kie.ai works on task "+task.id+"; it takes 2 to 20 minutes")
	}
	wake := task.callback
	if wake == nil && !task.adopted {
		var err error
		if wake, err = j.listen(ctx, task); err != nil {
			return completion{}, err
		}
	}
	for wakes := 0; ; wakes++ {
		finished, next, err := j.poll(ctx, task, wake, wakes < maxWakes)
		if err != nil {
			return completion{}, j.pollFailure(task, err)
		}
		if next == nil {
			return j.ended(ctx, task, finished, wake), nil
		}
		wake = next
	}
}

func (j *job) ended(ctx workflow.Context, task *paidTask, finished activities.Finished, wake *Callback) completion {
	j.status.Polls += finished.Polls
	ended := completion{record: finished, wokenBy: wokenByPoll, keptFrom: finished.CompletedAt}
	if finished.CompletedAt.IsZero() {
		ended.keptFrom = task.submittedAt
		ended.record.CompletedAt = workflow.Now(ctx).UTC()
	}
	if wake != nil && finished.Polls <= activities.QuickAsks {
		ended.wokenBy = wokenByCallback
	}
	countWakeup(ctx, ended, j.settings.Callbacks && !task.adopted && wake == nil)
	return ended
}

// listen waits for a callback, until polling is due.
func (j *job) listen(ctx workflow.Context, task *paidTask) (wake *Callback, err error) {
	after := j.settings.PollAfter
	if j.settings == (activities.Settings{}) {
		after = defaultPollAfter
	}
	after = max(min(after, j.until.Sub(workflow.Now(ctx))), 0)
	timing, stop := workflow.WithCancel(ctx)
	defer stop()
	due := false
	selector := workflow.NewSelector(ctx)
	j.inbox.onCallback(ctx, selector, func(callback Callback) {
		if j.concerns(ctx, task, callback) {
			wake = &callback
		}
	})
	selector.AddFuture(workflow.NewTimerWithOptions(timing, after, workflow.TimerOptions{Summary: "wait for the callback of task " + task.id}),
		func(timer workflow.Future) { due, err = true, timer.Get(ctx, nil) })
	for wake == nil && !due {
		selector.Select(ctx)
	}
	return wake, err
}

// poll asks for the end of the task until it has come or, if it may be
// interrupted, until the next callback makes it worth asking at once.
func (j *job) poll(ctx workflow.Context, task *paidTask, wake *Callback, interruptible bool) (finished activities.Finished, next *Callback, err error) {
	input := activities.PollInput{TaskID: task.id, Until: j.until}
	if wake != nil {
		input.WokenByCallback = true
		if wake.Code == 200 {
			input.CallbackURLs = wake.ResultURLs
		}
	}
	asking, stop := workflow.WithCancel(ctx)
	defer stop()
	started := workflow.Now(ctx)
	end := workflow.ExecuteActivity(pollPolicy(asking, task.id, j.until), a.Poll, input)
	done := false
	selector := workflow.NewSelector(ctx)
	j.inbox.onCallback(ctx, selector, func(callback Callback) {
		fresh := wake == nil || workflow.Now(ctx).Sub(started) >= rewakeAfter
		if j.concerns(ctx, task, callback) && interruptible && fresh && !end.IsReady() {
			next = &callback
		}
	})
	selector.AddFuture(end, func(end workflow.Future) { done, err = true, end.Get(ctx, &finished) })
	for next == nil && !done {
		selector.Select(ctx)
	}
	return finished, next, err
}

// concerns counts a callback and says whether it is about the task.
func (j *job) concerns(ctx workflow.Context, task *paidTask, callback Callback) bool {
	if callback.TaskID != task.id {
		workflow.GetLogger(ctx).Warn("a callback for another task is ignored", "taskId", task.id, "callbackTaskId", callback.TaskID)
		j.payments.addCandidate(callback.TaskID, j.status.TaskID)
		return false
	}
	return true
}

// pollFailure reads how a poll failed.
func (j *job) pollFailure(task *paidTask, err error) error {
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) {
		var polls int
		if failed.HasDetails() && failed.Details(&polls) == nil {
			j.status.Polls += polls
		}
		if failed.Type() == GenerationFailed {
			next := "change the prompt or the video and submit again; the same submit command starts a new, paid task"
			if j.input.TaskID != "" {
				next = "change the prompt or the video and submit it as a new job"
			}
			return failure{errorType: GenerationFailed, taskID: task.id, text: failed.Message(), next: next}
		}
	}
	if temporal.IsCanceledError(err) {
		return err
	}
	return j.overdue(task.id, err)
}
