package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// sendEvidence sends late evidence after a delay.
func (env *jobEnv) sendEvidence(after time.Duration, evidence activities.Evidence) *jobEnv {
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.EvidenceSignal.Name, evidence) }, after)
	return env
}

// withOutcome is the evidence of the same attempt in a later phase.
func withOutcome(sending activities.Evidence, phase activities.Phase, taskID string) activities.Evidence {
	sending.Phase, sending.TaskID = phase, taskID
	return sending
}

// A worker that loses its connection to Temporal during a submission reports the
// outcome later. No callback or operator is needed.
func TestLateEvidenceProvesTheOutcome(t *testing.T) {
	t.Run("accepted", func(t *testing.T) {
		env := newJobEnv(t).withoutSubmitRetries()
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, sending)).onPoll().onStore()
		env.sendEvidence(time.Minute, withOutcome(sending, activities.PhaseAccepted, ourTask))
		result := env.run(request).succeeds()
		require.Equal(t, ourTask, result.TaskID)
		require.True(t, sending.At.Equal(result.SubmittedAt))
		require.Equal(t, 1, env.submissions)
	})
	t.Run("accepted, received before the timeout", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending)).onPoll().onStore()
		env.sendEvidence(0, withOutcome(sending, activities.PhaseAccepted, ourTask))
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	})
	t.Run("refused: it is submitted again", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending), env.accepted(ourTask)).onPoll().onStore()
		env.sendEvidence(time.Minute, withOutcome(sending, activities.PhaseRefused, ""))
		env.run(request).succeeds()
		require.Equal(t, 2, env.submissions)
		require.NotContains(t, env.status().Detail, "earlier submission")
	})
	for name, evidence := range map[string]func(activities.Evidence) activities.Evidence{
		"about another attempt": func(e activities.Evidence) activities.Evidence {
			e.At = e.At.Add(time.Second)
			return withOutcome(e, activities.PhaseRefused, "")
		},
		"of the same phase":       func(e activities.Evidence) activities.Evidence { return e },
		"of a task without an id": func(e activities.Evidence) activities.Evidence { return withOutcome(e, activities.PhaseAccepted, "") },
		"of an unknown phase":     func(e activities.Evidence) activities.Evidence { return withOutcome(e, "odd", ourTask) },
		"that is empty":           func(activities.Evidence) activities.Evidence { return activities.Evidence{} },
	} {
		t.Run(name, func(t *testing.T) {
			env := newJobEnv(t)
			sending := env.evidence(activities.PhaseSending, "")
			env.onSubmit(env.fails(activities.SubmitUnknown, sending)).sendEvidence(time.Minute, evidence(sending))
			env.run(request).failsWith(workflows.SubmitUnknown)
			require.Equal(t, 1, env.submissions)
		})
	}
}

// A job that is written off waits for a running update. Its final text names a task
// that late evidence proves during that wait.
func TestLateEvidenceWhileTheJobEnds(t *testing.T) {
	env := newJobEnv(t)
	sending := env.evidence(activities.PhaseSending, "")
	env.onSubmit(env.fails(activities.SubmitUnknown, sending))
	env.OnActivity(a.Identify, anything, anything).After(30*time.Second).Return(
		activities.Identified{}, temporal.NewNonRetryableApplicationError("down", activities.ProviderUnavailable, nil))
	env.sendResolution(time.Minute, workflows.Resolution{Action: "adopt", TaskID: otherTask})
	env.sendResolution(time.Minute+time.Second, workflows.Resolution{Action: "write-off"})
	env.sendEvidence(time.Minute+10*time.Second, withOutcome(sending, activities.PhaseAccepted, ourTask))
	env.run(request).failsWith(workflows.SubmitUnknown, "wrote off", ourTask)
	require.Contains(t, env.status().Detail, ourTask)
	require.Equal(t, 1, env.submissions)
}

// Evidence about other attempts may arrive first and in the same workflow task. No
// evidence is dropped.
func TestSeveralEvidenceSignals(t *testing.T) {
	accepted := func(sending activities.Evidence) activities.Evidence {
		return withOutcome(sending, activities.PhaseAccepted, ourTask)
	}
	others := func(sending activities.Evidence) activities.Evidence {
		sending.At = sending.At.Add(-time.Hour)
		return withOutcome(sending, activities.PhaseRefused, "")
	}
	t.Run("during the search", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending)).onPoll().onStore()
		env.sendEvidence(time.Minute, others(sending)).sendEvidence(time.Minute, others(sending)).sendEvidence(time.Minute, accepted(sending))
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.Equal(t, 1, env.submissions)
	})
	t.Run("before the timeout", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending)).onPoll().onStore()
		env.sendEvidence(0, others(sending)).sendEvidence(0, accepted(sending)).sendEvidence(0, accepted(sending))
		request := request
		request.OnUnknownSubmit = "resubmit"
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.Equal(t, 1, env.submissions)
	})
}

// The callback of a task that late evidence proved is used: its links may be the
// only ones.
func TestLateEvidenceKeepsTheCallback(t *testing.T) {
	for name, signals := range map[string]func(env *jobEnv, accepted activities.Evidence) *jobEnv{
		"the callback first": func(env *jobEnv, accepted activities.Evidence) *jobEnv {
			return env.sendSuccess(time.Minute, ourTask).sendEvidence(time.Minute, accepted)
		},
		"the evidence first": func(env *jobEnv, accepted activities.Evidence) *jobEnv {
			return env.sendEvidence(time.Minute, accepted).sendSuccess(time.Minute, ourTask)
		},
		"both before the timeout": func(env *jobEnv, accepted activities.Evidence) *jobEnv {
			return env.sendSuccess(0, ourTask).sendEvidence(0, accepted)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newJobEnv(t)
			sending := env.evidence(activities.PhaseSending, "")
			env.onSubmit(env.fails(activities.SubmitUnknown, sending)).onStore()
			env.OnActivity(a.Identify, anything, anything).Return(
				activities.Identified{}, temporal.NewApplicationError("down", activities.ProviderUnavailable))
			env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
				require.True(t, in.WokenByCallback)
				require.Equal(t, []string{resultURL}, in.CallbackURLs)
				return finished(ourTask, 1), nil
			})
			signals(env, withOutcome(sending, activities.PhaseAccepted, ourTask))
			env.run(request).succeeds()
			require.Equal(t, 1, env.status().Callbacks)
		})
	}
}

// After a resubmission, late evidence about the first submission still counts.
func TestLateEvidenceAboutAnEarlierSubmission(t *testing.T) {
	t.Run("prevents the second payment while that is held", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending), held(5*time.Minute)).onPoll().onStore()
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.sendEvidence(3*time.Minute, withOutcome(sending, activities.PhaseAccepted, ourTask))
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.NotContains(t, env.status().Detail, "earlier submission")
	})
	t.Run("is adopted when the second is lost, too", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending), env.unknown()).onPoll().onStore()
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.sendEvidence(3*time.Minute, withOutcome(sending, activities.PhaseAccepted, ourTask))
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.Contains(t, env.status().Detail, "earlier submission", "the second may be paid as well")
	})
	t.Run("is named at the end", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending), env.accepted(ourTask)).onPoll().onStore()
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.sendEvidence(3*time.Minute, withOutcome(sending, activities.PhaseAccepted, otherTask)).sendSuccess(5*time.Minute, ourTask)
		env.run(request).succeeds()
		require.Contains(t, env.status().Detail, otherTask)
	})
	t.Run("is named at the end, though an operator adopted another task", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending)).onIdentify(ourTask, nil).onStore()
		env.OnActivity(a.Poll, anything, anything).After(5*time.Minute).Return(finished(ourTask, 1), nil)
		env.sendResolution(time.Minute, workflows.Resolution{Action: "adopt", TaskID: ourTask})
		env.sendEvidence(3*time.Minute, withOutcome(sending, activities.PhaseAccepted, otherTask))
		env.run(request).succeeds()
		require.Contains(t, env.status().Detail, "accepted, too: job luma-a015cb1ab13bffa3c1899233e19021bc collects its task "+otherTask)
	})
	t.Run("about the task that a callback found is ignored", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending)).onIdentify(ourTask, nil).onStore()
		env.OnActivity(a.Poll, anything, anything).After(5*time.Minute).Return(finished(ourTask, 1), nil)
		env.sendSuccess(time.Minute, ourTask).sendEvidence(3*time.Minute, withOutcome(sending, activities.PhaseAccepted, ourTask))
		env.run(request).succeeds()
		require.NotContains(t, env.status().Detail, "too")
	})
	t.Run("that it was refused removes the warning", func(t *testing.T) {
		env := newJobEnv(t)
		sending := env.evidence(activities.PhaseSending, "")
		env.onSubmit(env.fails(activities.SubmitUnknown, sending), env.accepted(ourTask)).onPoll().onStore()
		env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.sendEvidence(3*time.Minute, withOutcome(sending, activities.PhaseRefused, "")).sendSuccess(5*time.Minute, ourTask)
		env.run(request).succeeds()
		require.NotContains(t, env.status().Detail, "earlier submission")
	})
}

// A proof that arrives in the workflow task of the operator's decision to resubmit
// prevents the second payment.
func TestProofPreventsAResubmission(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown()).onPoll().onStore()
	env.OnActivity(a.Identify, anything, anything).After(2*time.Minute).Return(
		activities.Identified{TaskID: ourTask, CreatedAt: env.Now(), Settings: withCallbacks}, nil)
	env.sendSuccess(time.Minute, ourTask).sendResolution(2*time.Minute, workflows.Resolution{Action: "resubmit"})
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, 1, env.submissions)
}
