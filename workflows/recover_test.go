package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func foreign() error {
	return temporal.NewNonRetryableApplicationError("not this job's", activities.ForeignTask, nil)
}

func TestLostResponseIsFoundByItsCallback(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
	}{
		{"the callback comes later", 5 * time.Minute},
		{"the callback was there before the response was lost", 0},
		{"the callback comes a moment before the window closes", time.Hour - time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			l.submits(l.unknown()).identifies(ourTask, nil).polls(ourTask).stores().callback(test.after, ourTask)
			result := l.run(request).succeeds()
			require.Equal(t, ourTask, result.TaskID)
			require.Equal(t, "callback", result.WokenBy)
			require.Equal(t, 1, l.submissions)
		})
	}
}

func TestLostResponseIsNotFoundByAnotherJobsCallback(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown()).identifies(otherTask, foreign()).identifies(ourTask, nil).polls(ourTask).stores()
	l.callback(time.Minute, otherTask).callback(2*time.Minute, otherTask).callback(3*time.Minute, ourTask)
	require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
	require.Equal(t, 3, l.status().Callbacks)
}

func TestLostResponseWithoutProof(t *testing.T) {
	l := newLife(t)
	started := l.Now()
	l.submits(l.unknown()).identifies(otherTask, foreign()).callback(time.Minute, otherTask)
	input := request
	input.RecoveryWindow = "90m"
	l.sees(80*time.Minute, func(status workflows.Status) {
		require.Equal(t, workflows.StageSubmitUnknown, status.Stage)
		require.Contains(t, status.Detail, "lumaflow resolve default-test-workflow-id")
	})
	l.run(input).failsWith(workflows.SubmitUnknown, otherTask, "lumaflow submit --task-id", "1h30m")
	require.Equal(t, 1, l.submissions)
	require.GreaterOrEqual(t, l.Now().Sub(started), 90*time.Minute)
}

func TestTheRecoveryWindowCountsFromTheAttempt(t *testing.T) {
	l := newLife(t)
	started := l.Now()
	evidence := l.evidence(activities.PhaseSending, "")
	evidence.At = started.Add(-40 * time.Minute)
	l.submits(l.fails(activities.SubmitUnknown, evidence))
	l.run(request).failsWith(workflows.SubmitUnknown)
	require.Equal(t, 20*time.Minute, l.Now().Sub(started).Round(time.Minute))
}

func TestLostResponseMayBeSubmittedAgainIfTheInputSaysSo(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown(), l.accepted(ourTask)).polls(ourTask).stores().callback(70*time.Minute, ourTask)
	input := request
	input.OnUnknownSubmit = "resubmit"
	require.Equal(t, ourTask, l.run(input).succeeds().TaskID)
	require.Equal(t, 2, l.submissions)
	require.Equal(t, 2, l.status().SubmitAttempts)
}

func TestClaimsAreBounded(t *testing.T) {
	l := newLife(t)
	l.submits(l.unknown())
	asked := 0
	l.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, _ activities.IdentifyInput) (activities.Identified, error) {
		asked++
		return activities.Identified{}, foreign()
	})
	for i := range 50 {
		l.callback(time.Minute+time.Duration(i)*time.Second, ourTask+string(rune('a'+i)))
	}
	l.run(request).failsWith(workflows.SubmitUnknown)
	require.Equal(t, 20, asked)
	require.Equal(t, 50, l.status().Callbacks)
}

// answer is what an operator gets to see of an update.
type answer struct {
	rejected error
	status   any
	err      error
}

func (a *answer) Accept()          {}
func (a *answer) Reject(err error) { a.rejected = err }
func (a *answer) Complete(status any, err error) {
	a.status, a.err = status, err
}

func (l *life) resolves(after time.Duration, resolution workflows.Resolution) *answer {
	got := &answer{}
	l.RegisterDelayedCallback(func() {
		l.UpdateWorkflow(workflows.ResolveUpdate, "", got, resolution)
	}, after)
	return got
}

func TestOperatorResolvesALostResponse(t *testing.T) {
	t.Run("adopt", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown()).identifies(ourTask, nil).polls(ourTask).stores()
		got := l.resolves(time.Minute, workflows.Resolution{Action: "adopt", TaskID: ourTask})
		require.Equal(t, ourTask, l.run(request).succeeds().TaskID)
		require.NoError(t, got.rejected)
		require.NoError(t, got.err)
		require.Equal(t, 1, l.submissions)
	})
	t.Run("adopt, asked for again and again while kie.ai does not answer", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown()).stores()
		l.OnActivity(a.Identify, anything, anything).After(time.Minute).Return(
			activities.Identified{}, temporal.NewNonRetryableApplicationError("down", activities.ProviderUnavailable, nil))
		adopt := workflows.Resolution{Action: "adopt", TaskID: ourTask}
		before := l.resolves(time.Hour-30*time.Second, adopt)
		after := l.resolves(time.Hour+15*time.Second, adopt)
		l.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, before.err, "could not be read", "what was asked in time is answered")
		require.ErrorContains(t, after.rejected, "lumaflow submit --task-id", "the job does not live on for it")
	})
	t.Run("adopt a task that kie.ai does not know", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown()).identifies(otherTask, temporal.NewNonRetryableApplicationError("no record", activities.UnknownTask, nil))
		got := l.resolves(time.Minute, workflows.Resolution{Action: "adopt", TaskID: otherTask})
		l.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, got.err, "not adopted")
	})
	t.Run("adopt another job's task", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown())
		l.OnActivity(a.Identify, anything, activities.IdentifyInput{TaskID: otherTask, NotAnothers: true}).Return(
			activities.Identified{}, temporal.NewNonRetryableApplicationError("task was submitted by job h3", activities.ForeignTask, nil))
		got := l.resolves(time.Minute, workflows.Resolution{Action: "adopt", TaskID: otherTask})
		l.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, got.err, "is not adopted: task was submitted by job h3")
	})
	t.Run("resubmit", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown(), l.accepted(ourTask)).polls(ourTask).stores()
		got := l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.run(request).succeeds()
		require.NoError(t, got.err)
		require.Equal(t, 2, l.submissions)
	})
	t.Run("write-off", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown())
		l.resolves(time.Minute, workflows.Resolution{Action: "write-off"})
		l.run(request).failsWith(workflows.SubmitUnknown, "wrote off")
	})
	t.Run("two at once: one wins, the other is told", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.unknown(), l.accepted(ourTask)).polls(ourTask).stores()
		var first, second answer
		l.RegisterDelayedCallback(func() {
			l.UpdateWorkflow(workflows.ResolveUpdate, "1", &first, workflows.Resolution{Action: "resubmit"})
			l.UpdateWorkflow(workflows.ResolveUpdate, "2", &second, workflows.Resolution{Action: "write-off"})
		}, time.Minute)
		l.run(request).succeeds()
		require.NoError(t, first.err)
		require.True(t, second.err != nil || second.rejected != nil)
	})
}

func TestResolutionsThatAreRefused(t *testing.T) {
	tests := []struct {
		name       string
		resolution workflows.Resolution
		says       string
	}{
		{"adopt without a task", workflows.Resolution{Action: "adopt"}, "needs a taskId"},
		{"adopt a blank task", workflows.Resolution{Action: "adopt", TaskID: "  "}, "needs a taskId"},
		{"resubmit with a task", workflows.Resolution{Action: "resubmit", TaskID: ourTask}, "takes no taskId"},
		{"unknown action", workflows.Resolution{Action: "pray"}, "unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLife(t)
			l.submits(l.unknown())
			got := l.resolves(time.Minute, test.resolution)
			l.run(request).failsWith(workflows.SubmitUnknown)
			require.ErrorContains(t, got.rejected, test.says)
		})
	}
	t.Run("in another stage", func(t *testing.T) {
		l := newLife(t)
		l.submits(l.accepted(ourTask)).polls(ourTask).stores().callback(2*time.Minute, ourTask)
		got := l.resolves(time.Minute, workflows.Resolution{Action: "resubmit"})
		l.run(request).succeeds()
		require.ErrorContains(t, got.rejected, "waiting")
		require.Equal(t, 1, l.submissions)
	})
}

func TestAdoptionByTheInput(t *testing.T) {
	t.Run("a task that exists is collected without a submission", func(t *testing.T) {
		l := newLife(t)
		l.identifies(ourTask, nil).polls(ourTask).stores()
		result := l.run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds()
		require.Equal(t, ourTask, result.TaskID)
		require.Equal(t, "poll", result.WokenBy)
		require.Zero(t, l.submissions)
	})
	t.Run("a task that kie.ai does not know", func(t *testing.T) {
		l := newLife(t)
		l.identifies(otherTask, temporal.NewNonRetryableApplicationError("kie.ai has no record of task "+otherTask, activities.UnknownTask, nil))
		l.run(workflows.ModifyVideoInput{TaskID: otherTask}).failsWith(workflows.InvalidRequest, otherTask)
	})
}
