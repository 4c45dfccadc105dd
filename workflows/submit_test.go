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
	l := newLife(t)
	l.submits(l.accepted(ourTask)).polls(ourTask).stores().callback(3*time.Minute, ourTask)
	result := l.run(request).succeeds()
	require.Equal(t, ourTask, result.TaskID)
	require.Equal(t, "callback", result.WokenBy)
	require.Len(t, result.Videos, 1)
	require.Equal(t, resultURL, result.Videos[0].SourceURL)
	status := l.status()
	require.Equal(t, 1, status.SubmitAttempts)
	require.Equal(t, 1, status.Callbacks)
	require.Equal(t, 1, status.Polls)
	require.Equal(t, result.Videos, status.Videos)
}

func TestSubmissionIsHeldAndGoesOnByItself(t *testing.T) {
	l := newLife(t)
	hold := activities.Hold{Code: 402, Reason: "not enough credits", Until: l.Now().Add(5 * time.Minute), Attempts: 1, Settings: withCallbacks}
	var shown workflows.Status
	l.submits(
		l.fails(activities.Held, hold),
		func(in activities.SubmitInput) (activities.Submitted, error) {
			shown = l.status()
			require.NotNil(t, in.Held)
			require.Equal(t, hold.Code, in.Held.Code)
			require.WithinDuration(t, hold.Until, in.Held.Until, 0)
			return l.accepted(ourTask)(in)
		},
	).polls(ourTask).stores().callback(10*time.Minute, ourTask)
	l.run(request).succeeds()
	require.Equal(t, workflows.StageHeld, shown.Stage)
	require.Contains(t, shown.Detail, "not enough credits")
	require.Equal(t, 2, l.status().SubmitAttempts)
}

func TestChangingHoldsStopGrowingTheHistory(t *testing.T) {
	l := newLife(t)
	flips := 0
	l.OnActivity(a.Submit, anything, anything).Return(
		func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
			if in.Quiet {
				return l.accepted(ourTask)(in)
			}
			flips++
			return l.fails(activities.Held, activities.Hold{Code: 429 + flips%2, Attempts: flips})(in)
		})
	l.polls(ourTask).stores().callback(time.Hour, ourTask)
	l.run(request).succeeds()
	require.Equal(t, 100, flips)
}

func TestSubmissionThatIsRefused(t *testing.T) {
	l := newLife(t)
	l.submits(l.fails(activities.SubmitRefused, l.evidence(activities.PhaseRefused, "")))
	l.run(request).failsWith(workflows.SubmitRefused, "the provider's words")
}

// What a dead worker's evidence proves decides whether sending again is safe.
func TestWorkerDiesWhileSubmitting(t *testing.T) {
	heartbeat, startToClose := enumspb.TIMEOUT_TYPE_HEARTBEAT, enumspb.TIMEOUT_TYPE_START_TO_CLOSE
	tests := []struct {
		name    string
		kind    enumspb.TimeoutType
		last    func(*life) []any
		submits int
		unknown bool
	}{
		{"no evidence: nothing was sent, so it is sent", heartbeat, func(*life) []any { return nil }, 2, false},
		{"refused: nothing is open, so it is sent", startToClose, func(l *life) []any { return []any{l.evidence(activities.PhaseRefused, "")} }, 2, false},
		{"accepted: the task is adopted", heartbeat, func(l *life) []any { return []any{l.evidence(activities.PhaseAccepted, ourTask)} }, 1, false},
		{"sending: nobody knows", heartbeat, func(l *life) []any { return []any{l.evidence(activities.PhaseSending, "")} }, 1, true},
		{"sending, at the end of its time: nobody knows", startToClose, func(l *life) []any { return []any{l.evidence(activities.PhaseSending, "")} }, 1, true},
		{"unreadable: taken for the worst", heartbeat, func(*life) []any { return []any{"what is this"} }, 1, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t).endsOnTimeout()
			l.submits(l.dies(test.kind, test.last(l)...), l.accepted(ourTask)).polls(ourTask).stores()
			l.callback(2*time.Hour, ourTask)
			l.run(request)
			require.Equal(t, test.submits, l.submissions)
			if test.unknown {
				l.failsWith(workflows.SubmitUnknown, "https://kie.ai/logs")
				return
			}
			require.Equal(t, ourTask, l.succeeds().TaskID)
		})
	}
}

func TestNoWorkerManagesToSubmit(t *testing.T) {
	l := newLife(t).endsOnTimeout()
	tries := 0
	l.OnActivity(a.Submit, anything, anything).Return(
		func(_ ctx, in activities.SubmitInput) (activities.Submitted, error) {
			tries++
			return l.dies(enumspb.TIMEOUT_TYPE_HEARTBEAT)(in)
		}).After(time.Minute)
	input := request
	input.Deadline = "10m"
	l.run(input).failsWith(workflows.SubmitRefused, "nothing was charged")
	require.Equal(t, 9, tries, "the pauses grow")
}

// A panic proves nothing about what was sent before it.
func TestSubmissionThatPanics(t *testing.T) {
	l := newLife(t)
	l.submits(func(activities.SubmitInput) (activities.Submitted, error) { panic("broken") })
	l.run(request).failsWith(workflows.SubmitUnknown)
}
