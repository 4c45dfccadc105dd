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

// tells has a worker say late what became of an attempt.
func (l *life) tells(after time.Duration, evidence activities.Evidence) *life {
	l.RegisterDelayedCallback(func() { l.SignalWorkflow(workflows.EvidenceSignal.Name, evidence) }, after)
	return l
}

// told is the same attempt, further on.
func told(sending activities.Evidence, phase activities.Phase, taskID string) activities.Evidence {
	sending.Phase, sending.TaskID = phase, taskID
	return sending
}

// A worker that was cut off from Temporal while it submitted knows the outcome,
// and no callback or operator is needed.
func TestLateEvidenceSettlesALostSubmission(t *testing.T) {
	t.Run("accepted", func(t *testing.T) {
		l := newLife(t).endsOnTimeout()
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT, sending)).polls(ourTask).stores()
		l.tells(time.Minute, told(sending, activities.PhaseAccepted, ourTask))
		result := l.run(request).succeeds()
		require.Equal(t, ourTask, result.TaskID)
		require.True(t, sending.At.Equal(result.SubmittedAt))
		require.Equal(t, 1, l.submissions)
	})
	t.Run("accepted, told before the job knew of the timeout", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending)).polls(ourTask).stores()
		l.tells(0, told(sending, activities.PhaseAccepted, ourTask))
		require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
	})
	t.Run("refused: it is submitted again", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending), l.accepted(ourTask)).polls(ourTask).stores()
		l.tells(time.Minute, told(sending, activities.PhaseRefused, ""))
		l.run(request).succeeds()
		require.Equal(t, 2, l.submissions)
		require.NotContains(t, l.status().Detail, "earlier submission")
	})
	for name, evidence := range map[string]func(activities.Evidence) activities.Evidence{
		"about another attempt": func(e activities.Evidence) activities.Evidence {
			e.At = e.At.Add(time.Second)
			return told(e, activities.PhaseRefused, "")
		},
		"that says nothing new":        func(e activities.Evidence) activities.Evidence { return e },
		"of a task without an id":      func(e activities.Evidence) activities.Evidence { return told(e, activities.PhaseAccepted, "") },
		"of a phase that nobody knows": func(e activities.Evidence) activities.Evidence { return told(e, "odd", ourTask) },
		"that is empty":                func(activities.Evidence) activities.Evidence { return activities.Evidence{} },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			sending := l.evidence(activities.PhaseSending, "")
			l.submits(l.fails(activities.SubmitUnknown, sending)).tells(time.Minute, evidence(sending))
			l.run(request).failsWith(workflows.SubmitUnknown)
			require.Equal(t, 1, l.submissions)
		})
	}
}

// A job that was written off still waits for another answer that an operator
// asked for. What a worker tells meanwhile, its last words tell, too.
func TestLateEvidenceWhileTheJobEnds(t *testing.T) {
	l := newLife(t)
	sending := l.evidence(activities.PhaseSending, "")
	l.submits(l.fails(activities.SubmitUnknown, sending))
	l.OnActivity(a.Identify, anything, anything).After(30*time.Second).Return(
		activities.Identified{}, temporal.NewNonRetryableApplicationError("down", activities.ProviderUnavailable, nil))
	l.resolves(time.Minute, workflows.Resolution{Action: "adopt", TaskID: otherTask})
	l.resolves(time.Minute+time.Second, workflows.Resolution{Action: "write-off"})
	l.tells(time.Minute+10*time.Second, told(sending, activities.PhaseAccepted, ourTask))
	l.run(request).failsWith(workflows.SubmitUnknown, "wrote off", ourTask)
	require.Contains(t, l.status().Detail, ourTask)
	require.Equal(t, 1, l.submissions)
}

// Words about other attempts may come first, and all in the same moment: none
// takes another with it.
func TestLateEvidenceComesInCrowds(t *testing.T) {
	accepted := func(sending activities.Evidence) activities.Evidence {
		return told(sending, activities.PhaseAccepted, ourTask)
	}
	others := func(sending activities.Evidence) activities.Evidence {
		sending.At = sending.At.Add(-time.Hour)
		return told(sending, activities.PhaseRefused, "")
	}
	t.Run("while it is searched", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending)).polls(ourTask).stores()
		l.tells(time.Minute, others(sending)).tells(time.Minute, others(sending)).tells(time.Minute, accepted(sending))
		require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
		require.Equal(t, 1, l.submissions)
	})
	t.Run("before the job knew of the timeout", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending)).polls(ourTask).stores()
		l.tells(0, others(sending)).tells(0, accepted(sending)).tells(0, accepted(sending))
		request := request
		request.OnUnknownSubmit = "resubmit"
		require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
		require.Equal(t, 1, l.submissions)
	})
}

// A callback that came about the task counts, whoever found it: its links may be
// the only ones.
func TestLateEvidenceForgetsNoCallback(t *testing.T) {
	for name, kept := range map[string]func(l *life, accepted activities.Evidence) *life{
		"the callback first": func(l *life, accepted activities.Evidence) *life {
			return l.callback(time.Minute, ourTask).tells(time.Minute, accepted)
		},
		"the evidence first": func(l *life, accepted activities.Evidence) *life {
			return l.tells(time.Minute, accepted).callback(time.Minute, ourTask)
		},
		"both before the job knew of the timeout": func(l *life, accepted activities.Evidence) *life {
			return l.callback(0, ourTask).tells(0, accepted)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLife(t)
			sending := l.evidence(activities.PhaseSending, "")
			l.submits(l.fails(activities.SubmitUnknown, sending)).stores()
			l.OnActivity(a.Identify, anything, anything).Return(
				activities.Identified{}, temporal.NewApplicationError("down", activities.ProviderUnavailable))
			l.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
				require.True(t, in.WokenByCallback)
				require.Equal(t, []string{resultURL}, in.CallbackURLs)
				return finished(ourTask, 1), nil
			})
			kept(l, told(sending, activities.PhaseAccepted, ourTask))
			l.run(request).succeeds()
			require.Equal(t, 1, l.status().Callbacks)
		})
	}
}

// After a resubmission, late evidence about the first submission still counts.
func TestLateEvidenceAboutAnEarlierSubmission(t *testing.T) {
	t.Run("saves the second payment while that is held", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending), held(5*time.Minute)).polls(ourTask).stores()
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.tells(3*time.Minute, told(sending, activities.PhaseAccepted, ourTask))
		require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
		require.NotContains(t, l.status().Detail, "earlier submission")
	})
	t.Run("is adopted when the second is lost, too", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending), l.unknown()).polls(ourTask).stores()
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.tells(3*time.Minute, told(sending, activities.PhaseAccepted, ourTask))
		require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
		require.Contains(t, l.status().Detail, "earlier submission", "the second may be paid as well")
	})
	t.Run("is named at the end", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending), l.accepted(ourTask)).polls(ourTask).stores()
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.tells(3*time.Minute, told(sending, activities.PhaseAccepted, otherTask)).callback(5*time.Minute, ourTask)
		l.run(request).succeeds()
		require.Contains(t, l.status().Detail, otherTask)
	})
	t.Run("is named at the end, though an operator adopted another task", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending)).identifies(ourTask, nil).stores()
		l.OnActivity(a.Poll, anything, anything).After(5*time.Minute).Return(finished(ourTask, 1), nil)
		l.resolves(time.Minute, workflows.Resolution{Action: "adopt", TaskID: ourTask})
		l.tells(3*time.Minute, told(sending, activities.PhaseAccepted, otherTask))
		l.run(request).succeeds()
		require.Contains(t, l.status().Detail, "accepted, too: collect it with lumaflow submit --task-id "+otherTask)
	})
	t.Run("about the task that a callback had found says nothing new", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending)).identifies(ourTask, nil).stores()
		l.OnActivity(a.Poll, anything, anything).After(5*time.Minute).Return(finished(ourTask, 1), nil)
		l.callback(time.Minute, ourTask).tells(3*time.Minute, told(sending, activities.PhaseAccepted, ourTask))
		l.run(request).succeeds()
		require.NotContains(t, l.status().Detail, "too")
	})
	t.Run("that it was refused leaves nothing to tell", func(t *testing.T) {
		l := newLife(t)
		sending := l.evidence(activities.PhaseSending, "")
		l.submits(l.fails(activities.SubmitUnknown, sending), l.accepted(ourTask)).polls(ourTask).stores()
		l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.tells(3*time.Minute, told(sending, activities.PhaseRefused, "")).callback(5*time.Minute, ourTask)
		l.run(request).succeeds()
		require.NotContains(t, l.status().Detail, "earlier submission")
	})
}

// A proof that came in the same moment as the operator's word to pay again, or
// that the record is still being asked about, saves the payment.
func TestProofBeatsAResubmission(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown()).polls(ourTask).stores()
	l.OnActivity(a.Identify, anything, anything).After(2*time.Minute).Return(
		activities.Identified{TaskID: ourTask, CreatedAt: l.Now(), Settings: withCallbacks}, nil)
	l.callback(time.Minute, ourTask).resolves(2*time.Minute, workflows.Resolution{Action: "resubmit"})
	require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
	require.Equal(t, 1, l.submissions)
}
