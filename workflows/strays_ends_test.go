package workflows_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

func unproven() error {
	return temporal.NewNonRetryableApplicationError("the record proves nothing", activities.UnprovenTask, nil)
}

// withStray is a job that waits for its task while a callback names another one.
func withStray(t *testing.T, record error) (env *jobEnv, started *[]string) {
	t.Helper()
	env = newJobEnv(t)
	env.onSubmit(env.accepted(ourTask)).onStore().sendSuccess(time.Minute, otherTask).sendSuccess(5*time.Minute, ourTask)
	env.onIdentify(otherTask, record)
	env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		return finished(in.TaskID, 1), nil
	})
	return env, env.childIDs()
}

func TestStrays(t *testing.T) {
	t.Run("another task of the job is collected", func(t *testing.T) {
		env, started := withStray(t, nil)
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.Equal(t, []string{runs.CollectorID(otherTask)}, *started)
		require.Contains(t, env.status().Detail, "job "+runs.CollectorID(otherTask)+" collects its task "+otherTask)
	})
	t.Run("a task of another job is dropped", func(t *testing.T) {
		env, started := withStray(t, foreignTaskError())
		env.run(request).succeeds()
		require.Empty(t, *started)
		require.NotContains(t, env.status().Detail, otherTask)
	})
	t.Run("one whose record proves nothing is named", func(t *testing.T) {
		env, started := withStray(t, unproven())
		env.run(request).succeeds()
		require.Empty(t, *started)
		require.Contains(t, env.status().Detail, "whose records prove nothing: "+otherTask)
	})
	t.Run("one that comes with the last signals is collected", func(t *testing.T) {
		env, started := withStray(t, nil)
		env.OnActivity(a.WriteReceipt, anything, anything).Return(nil)
		env.run(request).succeeds()
		require.Len(t, *started, 1)
	})
	t.Run("a failed job collects it, too", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.accepted(ourTask)).onStore().sendSuccess(time.Minute, otherTask).sendSuccess(5*time.Minute, ourTask).onIdentify(otherTask, nil)
		env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
			if in.TaskID == ourTask {
				return activities.Finished{}, temporal.NewNonRetryableApplicationError("moderated", activities.GenerationFailed, nil)
			}
			return finished(in.TaskID, 1), nil
		})
		started := env.childIDs()
		env.run(request).failsWith(workflows.GenerationFailed, runs.CollectorID(otherTask))
		require.Equal(t, []string{runs.CollectorID(otherTask)}, *started)
		require.False(t, factsOf(t, env.GetWorkflowError()).PaidOpen)
	})
	for name, record := range map[string]error{"its own": nil, "unproven": unproven()} {
		t.Run("a cancelled job names it and collects nothing, "+name, func(t *testing.T) {
			env, started := withStray(t, record)
			env.RegisterDelayedCallback(env.CancelWorkflow, 2*time.Minute)
			env.run(request)
			require.Empty(t, *started)
			facts := factsOf(t, env.GetWorkflowError())
			require.Equal(t, ourTask, facts.TaskID)
			require.Equal(t, []string{otherTask}, facts.OtherTasks)
			require.Contains(t, env.status().Detail, otherTask)
		})
	}
	t.Run("a job that was written off names it", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown()).onIdentify(otherTask, unproven()).sendSuccess(time.Minute, otherTask)
		started := env.childIDs()
		env.sendResolution(5*time.Minute, workflows.Resolution{Action: workflows.WriteOff})
		env.run(request).failsWith(workflows.SubmitUnknown)
		require.Empty(t, *started)
	})
}

// A flood of made-up tasks costs a bounded number of look-ups.
func TestStraysAreBounded(t *testing.T) {
	env := newJobEnv(t)
	var lookups atomic.Int32
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore()
	env.OnActivity(a.Identify, anything, anything).Return(func(ctx, activities.IdentifyInput) (activities.Identified, error) {
		lookups.Add(1)
		return activities.Identified{}, foreignTaskError()
	})
	for i := range 100 {
		env.sendSuccess(time.Minute, fmt.Sprintf("%032d", i))
		env.sendSuccess(time.Minute, fmt.Sprintf("%032d", i))
	}
	env.sendSuccess(5*time.Minute, ourTask)
	env.run(request).succeeds()
	require.EqualValues(t, 20, lookups.Load())
	require.Equal(t, 201, env.status().Callbacks)
}

// Each firing of a cron schedule would pay.
func TestCronSchedule(t *testing.T) {
	env := newJobEnv(t)
	env.withInfo(func(info *workflow.Info) { info.CronSchedule = "@daily" })
	env.onSubmit()
	env.run(request).failsWith(workflows.InvalidRequest, "the job has a cron schedule, and each firing would pay")
	require.Zero(t, env.submissions)
}
