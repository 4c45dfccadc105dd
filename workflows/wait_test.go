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
	env := newJobEnv(t)
	started := env.Now()
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore()
	result := env.run(request).succeeds()
	require.Equal(t, "poll", result.WokenBy)
	require.Equal(t, withCallbacks.PollAfter, env.Now().Sub(started))
}

func TestNoCallbacksAreConfigured(t *testing.T) {
	env := newJobEnv(t)
	started := env.Now()
	env.onSubmit(func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{TaskID: ourTask, SubmittedAt: env.Now(), Settings: activities.Settings{PollAfter: 30 * time.Second}}, nil
	}).onPoll().onStore()
	require.Equal(t, "poll", env.run(request).succeeds().WokenBy)
	require.Equal(t, 30*time.Second, env.Now().Sub(started))
}

// A callback is a hint: the record decides, and no callback is dropped.
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
		{"a failure without a failed record", map[time.Duration]workflows.Callback{time.Minute: failed}, "callback"},
		{"for another task", map[time.Duration]workflows.Callback{time.Minute: {TaskID: otherTask, Code: 200}}, "poll"},
		{"without a task id", map[time.Duration]workflows.Callback{time.Minute: {Code: 200}}, "poll"},
		{"contradictory", map[time.Duration]workflows.Callback{time.Minute: failed, 2 * time.Minute: success}, "callback"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			env.onSubmit(env.accepted(ourTask)).onPoll().onStore()
			for after, callback := range test.callbacks {
				env.sendCallback(after, callback)
			}
			result := env.run(request).succeeds()
			require.Equal(t, test.wokenBy, result.WokenBy)
			require.Equal(t, resultURL, result.Videos[0].SourceURL, "no URL of a callback is used")
		})
	}
}

func TestSignalsOfTheLastWorkflowTaskAreCounted(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll()
	env.OnActivity(a.Download, anything, anything).Return(func(_ ctx, in activities.DownloadInput) (activities.Downloaded, error) {
		return downloaded(in), nil
	})
	env.OnActivity(a.WriteReceipt, anything, anything).Return(func(_ ctx, _ activities.ReceiptInput) error {
		env.SignalWorkflowSkippingWorkflowTask(workflows.CallbackSignal.Name, workflows.Callback{TaskID: ourTask})
		return nil
	})
	env.sendSuccess(time.Minute, ourTask)
	env.run(request).succeeds()
	require.Equal(t, 2, env.status().Callbacks)
}

// pollInterval is longer than in production: the test environment stops after ten
// attempts.
const pollInterval = 4 * time.Minute

// onPollPendingUntil scripts a task that ends after a delay. As in the real activity
// the polls are retries.
func (env *jobEnv) onPollPendingUntil(delay time.Duration) *[]activities.PollInput {
	var inputs []activities.PollInput
	ready := env.Now().Add(delay)
	polls := 0
	env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		if len(inputs) == 0 || inputs[len(inputs)-1].WokenByCallback != in.WokenByCallback {
			inputs = append(inputs, in)
			polls = 0
		}
		polls++
		if env.Now().Before(ready) {
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("running", activities.Pending,
				temporal.ApplicationErrorOptions{NextRetryDelay: pollInterval})
		}
		return finished(ourTask, polls), nil
	})
	return &inputs
}

func TestPollingIsInterruptedByACallback(t *testing.T) {
	env := newJobEnv(t)
	inputs := env.onPollPendingUntil(15 * time.Minute)
	env.onSubmit(env.accepted(ourTask)).onStore().sendSuccess(15*time.Minute+10*time.Second, ourTask)
	require.Equal(t, "callback", env.run(request).succeeds().WokenBy)
	require.Len(t, *inputs, 2)
	require.False(t, (*inputs)[0].WokenByCallback)
	require.Empty(t, (*inputs)[0].CallbackURLs)
	require.True(t, (*inputs)[1].WokenByCallback)
	require.Equal(t, []string{resultURL}, (*inputs)[1].CallbackURLs)
}

func TestLinksOfAFailureCallbackAreNotUsed(t *testing.T) {
	env := newJobEnv(t)
	inputs := env.onPollPendingUntil(0)
	env.onSubmit(env.accepted(ourTask)).onStore()
	env.sendCallback(time.Minute, workflows.Callback{TaskID: ourTask, Code: 500, ResultURLs: []string{resultURL}})
	env.run(request).succeeds()
	require.True(t, (*inputs)[0].WokenByCallback)
	require.Empty(t, (*inputs)[0].CallbackURLs)
}

func TestDeadlineCountsFromTheAcceptedSubmission(t *testing.T) {
	env := newJobEnv(t)
	started := env.Now()
	inputs := env.onPollPendingUntil(0)
	env.onSubmit(env.fails(activities.Held, activities.Hold{Code: 402, Attempts: 1}), held(4*time.Hour), env.accepted(ourTask)).onStore()
	env.sendSuccess(5*time.Hour, ourTask)
	env.run(request).succeeds()
	require.WithinDuration(t, started.Add(28*time.Hour), (*inputs)[0].Until, time.Minute)
}

func TestEarlyCallbackIsNotTheCause(t *testing.T) {
	env := newJobEnv(t)
	env.onPollPendingUntil(25 * time.Minute)
	env.onSubmit(env.accepted(ourTask)).onStore().sendSuccess(time.Minute, ourTask)
	require.Equal(t, "poll", env.run(request).succeeds().WokenBy)
}

func TestManyCallbacksAreBounded(t *testing.T) {
	env := newJobEnv(t)
	polls := 0
	ready := env.Now().Add(10 * time.Hour)
	env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, _ activities.PollInput) (activities.Finished, error) {
		if env.Now().Before(ready) {
			polls++
			return activities.Finished{}, temporal.NewApplicationErrorWithOptions("running", activities.Pending,
				temporal.ApplicationErrorOptions{NextRetryDelay: 12 * time.Hour})
		}
		return finished(ourTask, 1), nil
	})
	env.onSubmit(env.accepted(ourTask)).onStore()
	for i := range 300 {
		env.sendSuccess(time.Duration(i+1)*2*time.Minute, ourTask)
	}
	env.run(request).succeeds()
	require.LessOrEqual(t, polls, 52)
	require.Equal(t, 300, env.status().Callbacks)
}

func TestFailedPoll(t *testing.T) {
	tests := []struct {
		name, errorType, want string
	}{
		{"the generation failed", activities.GenerationFailed, workflows.GenerationFailed},
		{"the deadline passed", activities.ResultOverdue, workflows.ResultOverdue},
		{"anything else", "Strange", workflows.ResultOverdue},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			env.onSubmit(env.accepted(ourTask)).sendSuccess(time.Minute, ourTask)
			env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
				temporal.NewNonRetryableApplicationError("内容违规", test.errorType, nil, 3))
			env.run(request).failsWith(test.want, ourTask, "内容违规")
			require.Equal(t, ourTask, env.status().TaskID)
		})
	}
}

func TestDeadlineWithoutAnAnswer(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask))
	env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
		temporal.NewApplicationErrorWithOptions("kie.ai is down", activities.ProviderUnavailable,
			temporal.ApplicationErrorOptions{NextRetryDelay: 20 * time.Minute}))
	input := request
	input.Deadline = "2h"
	env.run(input).failsWith(workflows.ResultOverdue, ourTask, "kie.ai is down", "lumaflow submit --task-id "+ourTask)
}
