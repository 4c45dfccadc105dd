package workflows_test

import (
	"context"
	"time"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// pollOnly are the settings of a worker without a webhook; soon has jobs poll
// although a callback is expected.
var (
	pollOnly = &activities.Settings{PollAfter: 200 * time.Millisecond}
	soon     = &activities.Settings{Callbacks: true, PollAfter: 200 * time.Millisecond}
)

// plainScenarios are jobs that nothing goes wrong with.
func plainScenarios() []scenario {
	return []scenario{
		{
			name:  happyPath,
			about: "the submission is accepted, the callback comes, the record confirms it, the video is stored",
			input: request,
			drive: called,
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
			poll:     append(times(25, pending(20*time.Millisecond)), finds(resultURL)),
		},
		{
			name:  "several-results",
			about: "a task with three videos, which are downloaded at the same time",
			input: request,
			poll:  []pollAct{finds(resultURL, resultURL+"?2", resultURL+"?3")},
			drive: called,
		},
		{
			name:     "search-attributes",
			about:    "the namespace has lumaflow's search attributes, and the job sets them",
			input:    request,
			settings: &activities.Settings{Callbacks: true, PollAfter: time.Minute, SearchAttributes: true},
			drive:    called,
		},
		{
			name:     "adopted-by-input",
			about:    "the input names a task that was submitted before: it is collected, nothing is submitted",
			input:    workflows.ModifyVideoInput{TaskID: ourTask, Name: "shot-7"},
			identify: []identifyAct{knows},
		},
		{
			name:    "receipt-written-persistently",
			about:   "the store does not take the receipt at once, so writing it becomes an activity",
			input:   request,
			receipt: []receiptAct{notWritten, notWritten, written},
			drive:   called,
		},
		{
			name:   "held-then-accepted",
			about:  "kie.ai holds the job for lack of credit, for another reason, and then accepts it",
			input:  request,
			submit: []submitAct{holds(402, "not enough credits"), holdsOn(200 * time.Millisecond), holds(455, "maintenance"), accepts(ourTask)},
			drive:  called,
		},
	}
}

const happyPath = "woken-by-callback"

// called is a job that is called back when it waits.
func called(t *take) {
	t.reaches(workflows.StageWaiting, 1)
	t.callback(ourTask)
}

func times(n int, act pollAct) []pollAct {
	acts := make([]pollAct, n)
	for i := range acts {
		acts[i] = act
	}
	return acts
}

// waitScenarios are jobs that are called back in unusual ways.
func waitScenarios() []scenario {
	return []scenario{
		{
			name:  "callback-before-the-response",
			about: "kie.ai calls back before it has answered the submission",
			input: request,
			submit: []submitAct{func(ctx context.Context, t *take, in activities.SubmitInput) (activities.Submitted, error) {
				t.callback(ourTask)
				return accepts(ourTask)(ctx, t, in)
			}},
		},
		{
			name:  "callbacks-of-others-and-twice",
			about: "a callback for another task does not wake the job, and one that comes three times wakes it once",
			input: request,
			poll:  []pollAct{findsWhenOpened},
			drive: func(t *take) {
				t.reaches(workflows.StageWaiting, 1)
				t.callback(otherTask)
				t.callback(ourTask)
				t.runs("Poll")
				t.callback(ourTask)
				t.callback(otherTask)
				t.callback(ourTask)
				close(t.gate)
			},
		},
		{
			name:  "callback-before-the-record-knows",
			about: "the record lags behind the callback and is asked again",
			input: request,
			poll:  append(times(2, pending(100*time.Millisecond)), finds(resultURL)),
			drive: called,
		},
		{
			name:     "callback-while-polling",
			about:    "polling has begun when the callback comes, and the job looks at once",
			input:    request,
			settings: soon,
			poll:     []pollAct{pending(time.Minute), finds(resultURL)},
			drive: func(t *take) {
				t.retries("Poll")
				t.callback(ourTask)
			},
		},
	}
}
