package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// resubmitting is a job with an unknown submission and an operator's decision to
// resubmit after a minute.
func resubmitting(t *testing.T, after ...func(activities.SubmitInput) (activities.Submitted, error)) *jobEnv {
	env := newJobEnv(t)
	env.onSubmit(append([]func(activities.SubmitInput) (activities.Submitted, error){env.unknown()}, after...)...)
	env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
	return env
}

func held(delay time.Duration) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewApplicationErrorWithOptions("held", activities.Held,
			temporal.ApplicationErrorOptions{NextRetryDelay: delay})
	}
}

// Until the second submission is sent, proof of the first prevents it.
func TestLateProofPreventsASecondPayment(t *testing.T) {
	env := resubmitting(t, held(5*time.Minute))
	env.onIdentify(ourTask, nil).onPoll().onStore().sendSuccess(3*time.Minute, ourTask)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, 2, env.submissions)
	require.NotContains(t, env.status().Detail, "earlier submission")
}

func TestCallbackOfAnotherJobDoesNotStopAResubmission(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown(), held(5*time.Minute), env.accepted(ourTask))
	env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
	env.onIdentify(otherTask, foreignTaskError()).onPoll().onStore()
	env.sendSuccess(3*time.Minute, otherTask).sendSuccess(20*time.Minute, ourTask)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
}

// No end of a job hides a submission that may be paid.
func TestEveryEndNamesTheEarlierSubmission(t *testing.T) {
	t.Run("by a success", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown(), env.accepted(ourTask)).onPoll().onStore()
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.sendSuccess(2*time.Minute, otherTask).sendSuccess(3*time.Minute, ourTask)
		env.run(request).succeeds()
		require.Contains(t, env.status().Detail, "earlier submission")
		require.Contains(t, env.status().Detail, otherTask)
	})
	t.Run("by a refusal", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown(), env.fails(activities.SubmitRefused, env.evidence(activities.PhaseRefused, "")))
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.run(request).failsWith(workflows.SubmitUnknown, "earlier submission")
	})
	t.Run("by a failed generation", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown(), env.accepted(ourTask)).sendSuccess(3*time.Minute, ourTask)
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
			temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil, 1))
		env.run(request).failsWith(workflows.SubmitUnknown, ourTask, "moderated", "earlier submission")
	})
	t.Run("by a cancel", func(t *testing.T) {
		env := resubmitting(t, held(time.Hour))
		env.RegisterDelayedCallback(env.CancelWorkflow, 5*time.Minute)
		env.run(request)
		require.Contains(t, env.status().Detail, "a task may exist")
	})
}

// The record of a candidate was unreadable, so the job does not resubmit by itself.
func TestNoResubmissionWithAnUnreadableCandidate(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown())
	env.onIdentify(ourTask, temporal.NewNonRetryableApplicationError("down", activities.ProviderUnavailable, nil))
	env.sendSuccess(time.Minute, ourTask)
	input := request
	input.OnUnknownSubmit = "resubmit"
	env.run(input).failsWith(workflows.SubmitUnknown, ourTask)
	require.Equal(t, 1, env.submissions)
}

func TestUnclearAnswerThatNamesATask(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.fails(activities.SubmitUnknown, env.evidence(activities.PhaseSending, ourTask)))
	env.onIdentify(ourTask, nil).onPoll().onStore()
	result := env.run(request).succeeds()
	require.Equal(t, ourTask, result.TaskID)
	require.Equal(t, "poll", result.WokenBy)
}

// Only tasks of this run count: an earlier run of the job had the same callback
// URL.
func TestLookupsNameTheTimeOfTheAttempt(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown())
	var lookup activities.IdentifyInput
	env.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, in activities.IdentifyInput) (activities.Identified, error) {
		lookup = in
		return activities.Identified{}, foreignTaskError()
	})
	started := env.Now()
	env.sendSuccess(time.Minute, otherTask)
	env.run(request).failsWith(workflows.SubmitUnknown)
	require.WithinDuration(t, started.Add(-15*time.Minute), lookup.NotBefore, time.Second)
}

func TestHoldThatTheServerEndsIsARefusal(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewNonRetryableApplicationError("held: not enough credits", activities.Held, nil)
	})
	env.run(request).failsWith(workflows.SubmitRefused, "not enough credits")
}

func TestCancelWhileDownloading(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().sendSuccess(time.Minute, ourTask)
	env.OnActivity(a.Download, anything, anything).Return(func(_ ctx, _ activities.DownloadInput) (activities.Downloaded, error) {
		env.CancelWorkflow()
		return activities.Downloaded{}, temporal.NewNonRetryableApplicationError("context canceled", activities.DownloadInterrupted, nil)
	})
	env.run(request)
	var canceled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &canceled)
	require.Contains(t, env.status().Detail, "lumaflow submit --task-id "+ourTask)
}
