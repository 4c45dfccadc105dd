package workflows_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/workflows"
)

func foreignTaskError() error {
	return temporal.NewNonRetryableApplicationError("not this job's", activities.ForeignTask, nil)
}

func TestLostResponseIsFoundByItsCallback(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration
	}{
		{"the callback arrives later", 5 * time.Minute},
		{"the callback arrives before the response is lost", 0},
		{"the callback arrives a second before the window closes", time.Hour - time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			env.onSubmit(env.unknown()).onIdentify(ourTask, nil).onPoll().onStore().sendSuccess(test.after, ourTask)
			result := env.run(request).succeeds()
			require.Equal(t, ourTask, result.TaskID)
			require.Equal(t, "callback", result.WokenBy)
			require.Equal(t, 1, env.submissions)
		})
	}
}

func TestLostResponseIsNotFoundByAnotherJobsCallback(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown()).onIdentify(otherTask, foreignTaskError()).onIdentify(ourTask, nil).onPoll().onStore()
	env.sendSuccess(time.Minute, otherTask).sendSuccess(2*time.Minute, otherTask).sendSuccess(3*time.Minute, ourTask)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, 3, env.status().Callbacks)
}

func TestLostResponseWithoutProof(t *testing.T) {
	env := newJobEnv(t)
	started := env.Now()
	env.onSubmit(env.unknown()).onIdentify(otherTask, foreignTaskError()).sendSuccess(time.Minute, otherTask)
	input := request
	input.RecoveryWindow = "90m"
	env.checkStatusAfter(80*time.Minute, func(status workflows.Status) {
		require.Equal(t, workflows.StageSubmitUnknown, status.Stage)
		require.Contains(t, status.Detail, "lumaflow resolve default-test-workflow-id")
	})
	env.run(input).failsWith(workflows.SubmitUnknown, otherTask, "lumaflow submit --task-id", "1h30m")
	require.Equal(t, 1, env.submissions)
	require.GreaterOrEqual(t, env.Now().Sub(started), 90*time.Minute)
}

func TestTheRecoveryWindowCountsFromTheAttempt(t *testing.T) {
	env := newJobEnv(t)
	started := env.Now()
	evidence := env.evidence(activities.PhaseSending, "")
	evidence.At = started.Add(-40 * time.Minute)
	env.onSubmit(env.fails(activities.SubmitUnknown, evidence))
	env.run(request).failsWith(workflows.SubmitUnknown)
	require.Equal(t, 20*time.Minute, env.Now().Sub(started).Round(time.Minute))
}

func TestInputPermitsAResubmission(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown(), env.accepted(ourTask)).onPoll().onStore().sendSuccess(70*time.Minute, ourTask)
	input := request
	input.OnUnknownSubmit = "resubmit"
	require.Equal(t, ourTask, env.run(input).succeeds().TaskID)
	require.Equal(t, 2, env.submissions)
	require.Equal(t, 2, env.status().SubmitAttempts)
}

func TestCandidatesAreBounded(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown())
	var lookups atomic.Int32
	env.OnActivity(a.Identify, anything, anything).Return(func(_ ctx, _ activities.IdentifyInput) (activities.Identified, error) {
		lookups.Add(1)
		return activities.Identified{}, foreignTaskError()
	})
	for i := range 250 {
		env.sendSuccess(time.Minute+time.Duration(i)*time.Second, ourTask+string(rune('a'+i)))
	}
	env.run(request).failsWith(workflows.SubmitUnknown)
	require.EqualValues(t, 200, lookups.Load())
	require.Equal(t, 250, env.status().Callbacks)
}

// Made-up ids take no place from the genuine one.
func TestDeniedCandidatesLeave(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown()).onIdentify(ourTask, nil).onPoll().onStore()
	env.OnActivity(a.Identify, anything, anything).Return(activities.Identified{}, foreignTaskError())
	for i := range 50 {
		env.sendSuccess(time.Minute+time.Duration(i)*time.Second, ourTask+string(rune('a'+i)))
	}
	env.sendSuccess(10*time.Minute, ourTask)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
}

// updateResult is the result of an update.
type updateResult struct {
	rejected error
	status   any
	err      error
}

func (u *updateResult) Accept()          {}
func (u *updateResult) Reject(err error) { u.rejected = err }
func (u *updateResult) Complete(status any, err error) {
	u.status, u.err = status, err
}

func (env *jobEnv) sendResolution(after time.Duration, resolution workflows.Resolution) *updateResult {
	got := &updateResult{}
	env.RegisterDelayedCallback(func() {
		env.UpdateWorkflow(workflows.ResolveUpdate, "", got, resolution)
	}, after)
	return got
}

func TestResolutions(t *testing.T) {
	t.Run("adopt", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown()).onIdentify(ourTask, nil).onPoll().onStore()
		got := env.sendResolution(time.Minute, workflows.Resolution{Action: "adopt", TaskID: ourTask})
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.NoError(t, got.rejected)
		require.NoError(t, got.err)
		require.Equal(t, 1, env.submissions)
	})
	t.Run("adopt, twice while kie.ai does not answer", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown()).onStore()
		env.OnActivity(a.Identify, anything, anything).After(time.Minute).Return(
			activities.Identified{}, temporal.NewNonRetryableApplicationError("down", activities.ProviderUnavailable, nil))
		adopt := workflows.Resolution{Action: "adopt", TaskID: ourTask}
		before := env.sendResolution(time.Hour-30*time.Second, adopt)
		after := env.sendResolution(time.Hour+15*time.Second, adopt)
		env.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, before.err, "could not be read", "an update within the window completes")
		require.ErrorContains(t, after.rejected, "lumaflow submit --task-id", "an update after the window is rejected")
	})
	t.Run("adopt a task without a record", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown()).onIdentify(otherTask, temporal.NewNonRetryableApplicationError("no record", activities.UnknownTask, nil))
		got := env.sendResolution(time.Minute, workflows.Resolution{Action: "adopt", TaskID: otherTask})
		env.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, got.err, "not adopted")
	})
	t.Run("adopt another job's task", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown())
		env.OnActivity(a.Identify, anything, activities.IdentifyInput{TaskID: otherTask, NotAnothers: true}).Return(
			activities.Identified{}, temporal.NewNonRetryableApplicationError("task was submitted by job h3", activities.ForeignTask, nil))
		got := env.sendResolution(time.Minute, workflows.Resolution{Action: "adopt", TaskID: otherTask})
		env.run(request).failsWith(workflows.SubmitUnknown)
		require.ErrorContains(t, got.err, "is not adopted: task was submitted by job h3")
	})
	t.Run("resubmit", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown(), env.accepted(ourTask)).onPoll().onStore()
		got := env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.run(request).succeeds()
		require.NoError(t, got.err)
		require.Equal(t, 2, env.submissions)
	})
	t.Run("write-off", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown())
		env.sendResolution(time.Minute, workflows.Resolution{Action: "write-off"})
		env.run(request).failsWith(workflows.SubmitUnknown, "wrote off")
	})
	t.Run("two at once: one succeeds, the other fails", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown(), env.accepted(ourTask)).onPoll().onStore()
		var first, second updateResult
		env.RegisterDelayedCallback(func() {
			env.UpdateWorkflow(workflows.ResolveUpdate, "1", &first, workflows.Resolution{Action: "resubmit"})
			env.UpdateWorkflow(workflows.ResolveUpdate, "2", &second, workflows.Resolution{Action: "write-off"})
		}, time.Minute)
		env.run(request).succeeds()
		require.NoError(t, first.err)
		require.True(t, second.err != nil || second.rejected != nil)
	})
}

func TestRejectedResolutions(t *testing.T) {
	tests := []struct {
		name       string
		resolution workflows.Resolution
		message    string
	}{
		{"adopt without a task", workflows.Resolution{Action: "adopt"}, "needs a taskId"},
		{"adopt a blank task", workflows.Resolution{Action: "adopt", TaskID: "  "}, "needs a taskId"},
		{"resubmit with a task", workflows.Resolution{Action: "resubmit", TaskID: ourTask}, "takes no taskId"},
		{"unknown action", workflows.Resolution{Action: "invalid"}, "unknown"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			env.onSubmit(env.unknown())
			got := env.sendResolution(time.Minute, test.resolution)
			env.run(request).failsWith(workflows.SubmitUnknown)
			require.ErrorContains(t, got.rejected, test.message)
		})
	}
	t.Run("in another stage", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.accepted(ourTask)).onPoll().onStore().sendSuccess(2*time.Minute, ourTask)
		got := env.sendResolution(time.Minute, workflows.Resolution{Action: "resubmit"})
		env.run(request).succeeds()
		require.ErrorContains(t, got.rejected, "waiting")
		require.Equal(t, 1, env.submissions)
	})
}

func TestAdoptionByTheInput(t *testing.T) {
	t.Run("a task that exists is collected without a submission", func(t *testing.T) {
		env := newJobEnv(t)
		env.onIdentify(ourTask, nil).onPoll().onStore()
		result := env.run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds()
		require.Equal(t, ourTask, result.TaskID)
		require.Equal(t, "poll", result.WokenBy)
		require.Zero(t, env.submissions)
	})
	t.Run("a task without a record", func(t *testing.T) {
		env := newJobEnv(t)
		env.onIdentify(otherTask, temporal.NewNonRetryableApplicationError("kie.ai has no record of task "+otherTask, activities.UnknownTask, nil))
		env.run(workflows.ModifyVideoInput{TaskID: otherTask}).failsWith(workflows.InvalidRequest, otherTask)
	})
}
