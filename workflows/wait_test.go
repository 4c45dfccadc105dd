package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func TestCallbackNeverComes(t *testing.T) {
	l := newLife(t)
	started := l.Now()
	l.submits(l.accepted(ourTask)).polls(ourTask).stores()
	result := l.run(request).succeeds()
	require.Equal(t, "poll", result.WokenBy)
	require.Equal(t, withCallbacks.PollAfter, l.Now().Sub(started))
}

func TestNoCallbacksAreConfigured(t *testing.T) {
	l := newLife(t)
	started := l.Now()
	l.submits(func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{TaskID: ourTask, SubmittedAt: l.Now(), Settings: activities.Settings{PollAfter: 30 * time.Second}}, nil
	}).polls(ourTask).stores()
	require.Equal(t, "poll", l.run(request).succeeds().WokenBy)
	require.Equal(t, 30*time.Second, l.Now().Sub(started))
}

// A callback is a hint: whatever it says and whenever it comes, the record
// decides, and no callback is left unheard.
func TestCallbacksThatAreHarmless(t *testing.T) {
	success := workflows.Callback{TaskID: ourTask, Code: 200, ResultURLs: []string{"https://evil.example.org/x.mp4"}}
	failed := workflows.Callback{TaskID: ourTask, Code: 500, Msg: "failed"}
	tests := []struct {
		name      string
		callbacks map[time.Duration]workflows.Callback
		wokenBy   string
	}{
		{"before the submit response", map[time.Duration]workflows.Callback{0: success}, "callback"},
		{"twice", map[time.Duration]workflows.Callback{time.Minute: success, time.Minute + time.Second: success}, "callback"},
		{"a failure that the record denies", map[time.Duration]workflows.Callback{time.Minute: failed}, "callback"},
		{"for another task", map[time.Duration]workflows.Callback{time.Minute: {TaskID: otherTask, Code: 200}}, "poll"},
		{"without a task id", map[time.Duration]workflows.Callback{time.Minute: {Code: 200}}, "poll"},
		{"contradictory", map[time.Duration]workflows.Callback{time.Minute: failed, 2 * time.Minute: success}, "callback"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			l.submits(l.accepted(ourTask)).polls(ourTask).stores()
			for after, callback := range test.callbacks {
				l.signal(after, callback)
			}
			result := l.run(request).succeeds()
			require.Equal(t, test.wokenBy, result.WokenBy)
			require.Equal(t, resultURL, result.Videos[0].SourceURL, "no URL of a callback is used")
		})
	}
}

func TestSignalsInTheTaskThatCompletesTheJobAreHeard(t *testing.T) {
	l := newLife(t)
	l.submits(l.accepted(ourTask)).polls(ourTask)
	l.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		return downloaded(in), nil
	})
	l.OnActivity(a.WriteReceipt, anything, anything).Return(func(_ ctx, _ activities.ReceiptInput) error {
		l.SignalWorkflowSkippingWorkflowTask(workflows.CallbackSignal.Name, workflows.Callback{TaskID: ourTask})
		return nil
	})
	l.callback(time.Minute, ourTask)
	l.run(request).succeeds()
	require.Equal(t, 2, l.status().Callbacks)
}

// pollInterval is longer than the real one: the test environment gives up after
// ten attempts.
const pollInterval = 4 * time.Minute

// pollsUntil has the record say pending until a moment, in the way of the real
// activity: as retries of one activity.
func (l *life) pollsUntil(done time.Duration) *[]activities.PollInput {
	var inputs []activities.PollInput
	ready := l.Now().Add(done)
	asked := 0
	l.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		if len(inputs) == 0 || inputs[len(inputs)-1].WokenByCallback != in.WokenByCallback {
			inputs = append(inputs, in)
			asked = 0
		}
		asked++
		if l.Now().Before(ready) {
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("running", activities.Pending,
				temporal.ApplicationErrorOptions{NextRetryDelay: pollInterval})
		}
		return finished(ourTask, asked), nil
	})
	return &inputs
}

func TestPollingIsInterruptedByACallback(t *testing.T) {
	l := newLife(t)
	inputs := l.pollsUntil(15 * time.Minute)
	l.submits(l.accepted(ourTask)).stores().callback(15*time.Minute+10*time.Second, ourTask)
	require.Equal(t, "callback", l.run(request).succeeds().WokenBy)
	require.Len(t, *inputs, 2)
	require.False(t, (*inputs)[0].WokenByCallback)
	require.Empty(t, (*inputs)[0].CallbackURLs)
	require.True(t, (*inputs)[1].WokenByCallback)
	require.Equal(t, []string{resultURL}, (*inputs)[1].CallbackURLs)
}

func TestTheLinksOfAFailureAreNotHandedOn(t *testing.T) {
	l := newLife(t)
	inputs := l.pollsUntil(0)
	l.submits(l.accepted(ourTask)).stores()
	l.signal(time.Minute, workflows.Callback{TaskID: ourTask, Code: 500, ResultURLs: []string{resultURL}})
	l.run(request).succeeds()
	require.True(t, (*inputs)[0].WokenByCallback)
	require.Empty(t, (*inputs)[0].CallbackURLs)
}

func TestTheDeadlineCountsFromTheAcceptedSubmission(t *testing.T) {
	l := newLife(t)
	started := l.Now()
	inputs := l.pollsUntil(0)
	l.submits(l.fails(activities.Held, activities.Hold{Code: 402, Attempts: 1}), held(4*time.Hour), l.accepted(ourTask)).stores()
	l.callback(5*time.Hour, ourTask)
	l.run(request).succeeds()
	require.WithinDuration(t, started.Add(28*time.Hour), (*inputs)[0].Until, time.Minute)
}

func TestAnEarlyCallbackDoesNotClaimTheEnd(t *testing.T) {
	l := newLife(t)
	l.pollsUntil(25 * time.Minute)
	l.submits(l.accepted(ourTask)).stores().callback(time.Minute, ourTask)
	require.Equal(t, "poll", l.run(request).succeeds().WokenBy)
}

func TestAFloodOfCallbacksIsBounded(t *testing.T) {
	l := newLife(t)
	polls := 0
	ready := l.Now().Add(10 * time.Hour)
	l.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, _ activities.PollInput) (activities.Finished, error) {
		if l.Now().Before(ready) {
			polls++
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("running", activities.Pending,
				temporal.ApplicationErrorOptions{NextRetryDelay: 12 * time.Hour})
		}
		return finished(ourTask, 1), nil
	})
	l.submits(l.accepted(ourTask)).stores()
	for i := range 300 {
		l.callback(time.Duration(i+1)*2*time.Minute, ourTask)
	}
	l.run(request).succeeds()
	require.LessOrEqual(t, polls, 52)
	require.Equal(t, 300, l.status().Callbacks)
}

func TestTaskThatEndsBadly(t *testing.T) {
	tests := []struct {
		name, errorType, want string
	}{
		{"the generation failed", activities.GenerationFailed, workflows.GenerationFailed},
		{"the deadline passed", activities.ResultOverdue, workflows.ResultOverdue},
		{"anything else", "Strange", workflows.ResultOverdue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			l.submits(l.accepted(ourTask)).callback(time.Minute, ourTask)
			l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
				temporal.NewNonRetryableApplicationError("内容违规", test.errorType, nil, 3))
			l.run(request).failsWith(test.want, ourTask, "内容违规")
			require.Equal(t, ourTask, l.status().TaskID)
		})
	}
}

func TestDeadlineWithoutAnAnswer(t *testing.T) {
	l := newLife(t)
	l.submits(l.accepted(ourTask))
	l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
		temporal.NewApplicationErrorWithOptions("kie.ai is down", activities.ProviderUnavailable,
			temporal.ApplicationErrorOptions{NextRetryDelay: 20 * time.Minute}))
	input := request
	input.Deadline = "2h"
	l.run(input).failsWith(workflows.ResultOverdue, ourTask, "kie.ai is down", "lumaflow submit --task-id "+ourTask)
}
