package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func TestSubmissionThatIsAccepted(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore().sendSuccess(3*time.Minute, ourTask)
	result := env.run(request).succeeds()
	require.Equal(t, ourTask, result.TaskID)
	require.Equal(t, "callback", result.WokenBy)
	require.Len(t, result.Videos, 1)
	require.Equal(t, resultURL, result.Videos[0].SourceURL)
	status := env.status()
	require.Equal(t, 1, status.SubmitAttempts)
	require.Equal(t, 1, status.Callbacks)
	require.Equal(t, 1, status.Polls)
	require.Equal(t, result.Videos, status.Videos)
}

func TestHeldSubmissionIsRetried(t *testing.T) {
	env := newJobEnv(t)
	hold := activities.Hold{Code: 402, Reason: "not enough credits", Until: env.Now().Add(5 * time.Minute), Attempts: 1, Settings: withCallbacks}
	var status workflows.Status
	env.onSubmit(
		env.fails(activities.Held, hold),
		func(in activities.SubmitInput) (activities.Submitted, error) {
			status = env.status()
			require.NotNil(t, in.Held)
			require.Equal(t, hold.Code, in.Held.Code)
			require.WithinDuration(t, hold.Until, in.Held.Until, 0)
			return env.accepted(ourTask)(in)
		},
	).onPoll().onStore().sendSuccess(10*time.Minute, ourTask)
	env.run(request).succeeds()
	require.Equal(t, workflows.StageHeld, status.Stage)
	require.Contains(t, status.Detail, "not enough credits")
	require.Equal(t, 2, env.status().SubmitAttempts)
}

func TestHoldsAreBounded(t *testing.T) {
	env := newJobEnv(t)
	holds := 0
	env.OnActivity(a.Submit, anything, anything).Return(
		func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
			if in.Quiet {
				return env.accepted(ourTask)(in)
			}
			holds++
			return env.fails(activities.Held, activities.Hold{Code: 429 + holds%2, Attempts: holds})(in)
		})
	env.onPoll().onStore().sendSuccess(time.Hour, ourTask)
	env.run(request).succeeds()
	require.Equal(t, 100, holds)
}

func TestSubmissionThatIsRefused(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.fails(activities.SubmitRefused, env.evidence(activities.PhaseRefused, "")))
	env.run(request).failsWith(workflows.SubmitRefused, "provider message")
}

// The last evidence of a dead worker decides whether sending again is safe.
func TestWorkerDiesWhileSubmitting(t *testing.T) {
	heartbeat, startToClose := enumspb.TIMEOUT_TYPE_HEARTBEAT, enumspb.TIMEOUT_TYPE_START_TO_CLOSE
	tests := []struct {
		name    string
		kind    enumspb.TimeoutType
		last    func(*jobEnv) []any
		submits int
		unknown bool
	}{
		{"no evidence: nothing was sent, so it is sent", heartbeat, func(*jobEnv) []any { return nil }, 2, false},
		{"refused: nothing is open, so it is sent", startToClose, func(env *jobEnv) []any { return []any{env.evidence(activities.PhaseRefused, "")} }, 2, false},
		{"accepted: the task is adopted", heartbeat, func(env *jobEnv) []any { return []any{env.evidence(activities.PhaseAccepted, ourTask)} }, 1, false},
		{"sending: the outcome is unknown", heartbeat, func(env *jobEnv) []any { return []any{env.evidence(activities.PhaseSending, "")} }, 1, true},
		{"sending, start-to-close: the outcome is unknown", startToClose, func(env *jobEnv) []any { return []any{env.evidence(activities.PhaseSending, "")} }, 1, true},
		{"unreadable: the outcome is unknown", heartbeat, func(*jobEnv) []any { return []any{"not evidence"} }, 1, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t).withoutSubmitRetries()
			env.onSubmit(env.timesOut(test.kind, test.last(env)...), env.accepted(ourTask)).onPoll().onStore()
			env.sendSuccess(2*time.Hour, ourTask)
			env.run(request)
			require.Equal(t, test.submits, env.submissions)
			if test.unknown {
				env.failsWith(workflows.SubmitUnknown, "https://kie.ai/logs")
				return
			}
			require.Equal(t, ourTask, env.succeeds().TaskID)
		})
	}
}

func TestNoWorkerSubmits(t *testing.T) {
	env := newJobEnv(t).withoutSubmitRetries()
	attempts := 0
	env.OnActivity(a.Submit, anything, anything).Return(
		func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
			attempts++
			return env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}).After(time.Minute)
	input := request
	input.Deadline = "10m"
	env.run(input).failsWith(workflows.SubmitRefused, "nothing was charged")
	require.Equal(t, 9, attempts, "the pauses grow")
}

// After a panic the outcome is unknown.
func TestSubmissionThatPanics(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(func(activities.SubmitInput) (activities.Submitted, error) { panic("broken") })
	env.run(request).failsWith(workflows.SubmitUnknown)
}
