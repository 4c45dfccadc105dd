package workflows_test

import (
	"context"
	"strings"
	"time"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// pollOnly are the settings of a worker without a webhook. With pollSoon a job
// polls at once although a callback is expected.
var (
	pollOnly = &activities.Settings{PollAfter: 200 * time.Millisecond}
	pollSoon = &activities.Settings{Callbacks: true, PollAfter: 200 * time.Millisecond}
)

// plainScenarios are jobs without a fault.
func plainScenarios() []scenario {
	return []scenario{
		{
			name:  happyPath,
			about: "the submission is accepted, the callback comes, the record confirms it, the video is stored",
			input: request,
			drive: callBackWhenWaiting,
		},
		{
			name:     "woken-by-poll",
			about:    "nobody calls back, so the job polls",
			input:    request,
			settings: pollOnly,
		},
		{
			name:     "polled-many-times",
			about:    "a long wait is one activity with many attempts and adds nothing to the history",
			input:    request,
			settings: pollOnly,
			poll:     append(repeat(25, pending(20*time.Millisecond)), finishes(resultURL)),
		},
		{
			name:  "several-results",
			about: "a task with three videos, which are downloaded at the same time",
			input: request,
			poll:  []pollCall{finishes(resultURL, resultURL+"?2", resultURL+"?3")},
			drive: callBackWhenWaiting,
		},
		{
			name:     "search-attributes",
			about:    "the namespace has lumaflow's search attributes, and the job sets them",
			input:    request,
			settings: &activities.Settings{Callbacks: true, PollAfter: time.Minute, SearchAttributes: true},
			drive:    callBackWhenWaiting,
		},
		{
			name:     "adopted-by-input",
			about:    "the input names a task that was submitted before: it is collected, nothing is submitted",
			input:    workflows.ModifyVideoInput{TaskID: ourTask, Name: "shot-7"},
			identify: []identifyCall{identifies},
		},
		{
			name:    "receipt-written-by-an-activity",
			about:   "the store does not take the receipt at once, so writing it becomes an activity",
			input:   request,
			receipt: []receiptCall{notWritten, notWritten, written},
			drive:   callBackWhenWaiting,
		},
		{
			name:   "held-then-accepted",
			about:  "kie.ai holds the job for lack of credit, for another reason, and then accepts it",
			input:  request,
			submit: []submitCall{holds(402, "not enough credits"), staysHeld(200 * time.Millisecond), holds(455, "maintenance"), accepts},
			drive:  callBackWhenWaiting,
		},
	}
}

// keepSource are the settings of a worker that keeps sources.
var keepSource = &activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute, Facts: true, KeepSource: true}

// sourceScenarios are jobs that keep their source.
func sourceScenarios() []scenario {
	return []scenario{
		{
			name:     "source-kept",
			about:    "the source is copied during the wait, and the receipt lists it",
			input:    request,
			settings: keepSource,
			drive: func(rec *recording) {
				rec.awaitEnd("KeepSource")
				callBackWhenWaiting(rec)
			},
		},
		{
			name:     "source-after-the-videos",
			about:    "the copy of the source ends after the videos are stored, and the receipt waits for it",
			input:    request,
			settings: keepSource,
			source: []sourceCall{func(ctx context.Context, rec *recording, in activities.SourceInput) (activities.KeptSource, error) {
				<-rec.gate
				return keepsSource(ctx, rec, in)
			}},
			drive: func(rec *recording) {
				callBackWhenWaiting(rec)
				rec.eventually("the wait for the source", func() bool { return strings.Contains(rec.status().Detail, "the source is still being downloaded") })
				close(rec.gate)
			},
		},
		{
			name:     "source-missing-of-an-adopted-task",
			about:    "the source that kie.ai's record names is gone, and the job is done without it",
			input:    workflows.ModifyVideoInput{TaskID: ourTask},
			settings: keepSource,
			identify: []identifyCall{identifies},
			source: []sourceCall{func(context.Context, *recording, activities.SourceInput) (activities.KeptSource, error) {
				return activities.MissingSource("download from cdn.example.org: HTTP 404 Not Found"), nil
			}},
		},
	}
}

const happyPath = "woken-by-callback"

// callBackWhenWaiting sends the callback when the job waits for it.
func callBackWhenWaiting(rec *recording) {
	rec.awaitStage(workflows.StageWaiting, 1)
	rec.sendSuccess(ourTask)
}

func repeat(n int, call pollCall) []pollCall {
	calls := make([]pollCall, n)
	for i := range calls {
		calls[i] = call
	}
	return calls
}

// waitScenarios are jobs with unusual callbacks.
func waitScenarios() []scenario {
	return []scenario{
		{
			name:  "callback-before-the-response",
			about: "kie.ai calls back before it has answered the submission",
			input: request,
			submit: []submitCall{func(ctx context.Context, rec *recording, in activities.SubmitInput) (activities.Submitted, error) {
				rec.sendSuccess(ourTask)
				return accepts(ctx, rec, in)
			}},
		},
		{
			name:  "callbacks-of-others-and-twice",
			about: "a callback for another task does not wake the job, and one that comes three times wakes it once",
			input: request,
			poll:  []pollCall{finishesWhenOpened},
			drive: func(rec *recording) {
				rec.awaitStage(workflows.StageWaiting, 1)
				rec.sendSuccess(otherTask)
				rec.sendSuccess(ourTask)
				rec.awaitStart("Poll")
				rec.sendSuccess(ourTask)
				rec.sendSuccess(otherTask)
				rec.sendSuccess(ourTask)
				close(rec.gate)
			},
		},
		{
			name:  "callback-before-the-record-knows",
			about: "the record lags behind the callback and is asked again",
			input: request,
			poll:  append(repeat(2, pending(100*time.Millisecond)), finishes(resultURL)),
			drive: callBackWhenWaiting,
		},
		{
			name:     "callback-while-polling",
			about:    "polling has begun when the callback comes, and the job looks at once",
			input:    request,
			settings: pollSoon,
			poll:     []pollCall{pending(time.Minute), finishes(resultURL)},
			drive: func(rec *recording) {
				rec.awaitRetry("Poll")
				rec.sendSuccess(ourTask)
			},
		},
	}
}
