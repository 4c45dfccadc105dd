package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// resubmits is a job whose first answer was lost and whose operator had it
// submitted again, into a hold.
func resubmits(t *testing.T, after ...func(activities.SubmitInput) (activities.Submitted, error)) *life {
	l := newLife(t)
	l.submits(append([]func(activities.SubmitInput) (activities.Submitted, error){l.unknown()}, after...)...)
	l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
	return l
}

func held(delay time.Duration) func(activities.SubmitInput) (activities.Submitted, error) {
	return func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewApplicationErrorWithOptions("held", activities.Held,
			temporal.ApplicationErrorOptions{NextRetryDelay: delay})
	}
}

// Until something is sent again, the first submission may still be found.
func TestLateProofSavesASecondPayment(t *testing.T) {
	l := resubmits(t, held(5*time.Minute))
	l.identifies(ourTask, nil).polls(ourTask).stores().callback(3*time.Minute, ourTask)
	require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
	require.Equal(t, 2, l.submissions)
	require.NotContains(t, l.status().Detail, "earlier submission")
}

func TestCallbackOfAnotherJobDoesNotStopAResubmission(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown(), held(5*time.Minute), l.accepted(ourTask))
	l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
	l.identifies(otherTask, foreign()).polls(ourTask).stores()
	l.callback(3*time.Minute, otherTask).callback(20*time.Minute, ourTask)
	require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
}

// No end of a job hides a submission that may be paid.
func TestTheEarlierSubmissionIsNotForgotten(t *testing.T) {
	t.Run("by a success", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown(), l.accepted(ourTask)).polls(ourTask).stores()
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.callback(2*time.Minute, otherTask).callback(3*time.Minute, ourTask)
		l.run(request).succeeds()
		require.Contains(t, l.status().Detail, "earlier submission")
		require.Contains(t, l.status().Detail, otherTask)
	})
	t.Run("by a refusal", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown(), l.fails(activities.SubmitRefused, l.evidence(activities.PhaseRefused, "")))
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.run(request).failsWith(workflows.SubmitUnknown, "earlier submission")
	})
	t.Run("by a failed generation", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown(), l.accepted(ourTask)).callback(3*time.Minute, ourTask)
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.OnActivity(a.Poll, anything, anything).Return(activities.Finished{},
			temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil, 1))
		l.run(request).failsWith(workflows.SubmitUnknown, ourTask, "moderated", "earlier submission")
	})
	t.Run("by a cancel", func(t *testing.T) {
		l := resubmits(t, held(time.Hour))
		l.RegisterDelayedCallback(l.CancelWorkflow, 5*time.Minute)
		l.run(request)
		require.Contains(t, l.status().Detail, "a task may exist")
	})
}

// The record could not be asked about the task that a callback named, so
// nothing is paid again by itself.
func TestNothingIsPaidAgainWhileAClaimIsOpen(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown())
	l.identifies(ourTask, temporal.NewNonRetryableApplicationError("down", activities.ProviderUnavailable, nil))
	l.callback(time.Minute, ourTask)
	input := request
	input.OnUnknownSubmit = "resubmit"
	l.run(input).failsWith(workflows.SubmitUnknown, ourTask)
	require.Equal(t, 1, l.submissions)
}

func TestUnclearAnswerThatNamesATaskIsLookedUp(t *testing.T) {
	l := newLife(t)
	l.submits(l.fails(activities.SubmitUnknown, l.evidence(activities.PhaseSending, ourTask)))
	l.identifies(ourTask, nil).polls(ourTask).stores()
	result := l.run(request).succeeds()
	require.Equal(t, ourTask, result.TaskID)
	require.Equal(t, "poll", result.WokenBy)
}

// Only tasks of this run count: an earlier run of the same job had the same
// callback URL.
func TestClaimsNameTheTimeOfTheAttempt(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown())
	var asked activities.IdentifyInput
	l.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, in activities.IdentifyInput) (activities.Identified, error) {
		asked = in
		return activities.Identified{}, foreign()
	})
	started := l.Now()
	l.callback(time.Minute, otherTask)
	l.run(request).failsWith(workflows.SubmitUnknown)
	require.WithinDuration(t, started.Add(-15*time.Minute), asked.NotBefore, time.Second)
}

func TestHoldThatTheServerEndsIsARefusal(t *testing.T) {
	l := newLife(t)
	l.submits(func(activities.SubmitInput) (activities.Submitted, error) {
		return activities.Submitted{}, temporal.NewNonRetryableApplicationError("held: not enough credits", activities.Held, nil)
	})
	l.run(request).failsWith(workflows.SubmitRefused, "not enough credits")
}

func TestCancelWhileDownloading(t *testing.T) {
	l := newLife(t)
	l.submits(l.accepted(ourTask)).polls(ourTask).callback(time.Minute, ourTask)
	l.OnActivity(a.Download, anything, anything).Return(func(_ ctx, _ activities.DownloadInput) (activities.Downloaded, error) {
		l.CancelWorkflow()
		return activities.Downloaded{}, temporal.NewNonRetryableApplicationError("context canceled", activities.DownloadInterrupted, nil)
	})
	l.run(request)
	var canceled *temporal.CanceledError
	require.ErrorAs(t, l.GetWorkflowError(), &canceled)
	require.Contains(t, l.status().Detail, "lumaflow submit --task-id "+ourTask)
}
