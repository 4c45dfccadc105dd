package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// collectors records the tasks of the collecting jobs, and calls each as one starts.
func (env *jobEnv) collectors(each ...func(taskID string)) *[]string {
	var tasks []string
	env.OnActivity(a.Poll, anything, mock.MatchedBy(func(in activities.PollInput) bool { return in.TaskID != ourTask })).
		Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) { return finished(in.TaskID, 1), nil })
	env.SetOnChildWorkflowStartedListener(func(info *workflow.Info, _ workflow.Context, args converter.EncodedValues) {
		var input workflows.ModifyVideoInput
		require.NoError(env.t, args.Get(&input))
		require.Equal(env.t, runs.CollectorID(input.TaskID), info.WorkflowExecution.ID)
		tasks = append(tasks, input.TaskID)
		for _, call := range each {
			call(input.TaskID)
		}
	})
	return &tasks
}

func unknownTaskError() error {
	return temporal.NewNonRetryableApplicationError("no record", activities.UnknownTask, nil)
}

func unprovenTaskError() error {
	return temporal.NewNonRetryableApplicationError("no callback URL", activities.UnprovenTask, nil)
}

// A callback on the job's own URL for another task starts a job that collects it if
// the record proves that it is the job's.
func TestCallbackForAnotherTask(t *testing.T) {
	tests := []struct {
		name      string
		err       error
		collected []string
		named     bool
	}{
		{"the job's own", nil, []string{otherTask}, true},
		{"another job's", foreignTaskError(), nil, false},
		{"made up", unknownTaskError(), nil, false},
		{"unproven", unprovenTaskError(), nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			collected := env.collectors()
			env.onSubmit(env.accepted(ourTask)).onIdentify(otherTask, test.err).onPoll().onStore()
			env.sendSuccess(time.Minute, otherTask).sendSuccess(2*time.Minute, otherTask).sendSuccess(5*time.Minute, ourTask)
			require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
			require.Equal(t, test.collected, *collected)
			if test.named {
				require.Contains(t, env.status().Detail, otherTask)
			} else {
				require.NotContains(t, env.status().Detail, otherTask)
			}
		})
	}
}

// onSilentRecord scripts a record without an echo: the lookup answers after a minute. Its
// retries are fewer than the test environment permits.
func (env *jobEnv) onSilentRecord(taskID string) *jobEnv {
	var first time.Time
	env.OnActivity(a.Identify, anything, mock.MatchedBy(func(in activities.IdentifyInput) bool { return in.TaskID == taskID })).
		Return(func(context.Context, activities.IdentifyInput) (activities.Identified, error) {
			if first.IsZero() {
				first = env.Now()
			}
			if env.Now().Sub(first) < time.Minute {
				return activities.Identified{}, temporal.NewApplicationErrorWithOptions("no callback URL yet", activities.Pending, temporal.ApplicationErrorOptions{NextRetryDelay: 31 * time.Second})
			}
			return activities.Identified{TaskID: taskID, CreatedAt: env.Now(), Settings: withCallbacks}, nil
		})
	return env
}

// A record without an echo takes a minute, which may be longer than the recovery
// window.
func TestLookupsOutlastASilentRecord(t *testing.T) {
	t.Run("of the job's own task", func(t *testing.T) {
		env := newJobEnv(t)
		env.onSubmit(env.unknown()).onSilentRecord(ourTask).onPoll().onStore().sendSuccess(time.Second, ourTask)
		input := request
		input.RecoveryWindow, input.OnUnknownSubmit = "10s", "resubmit"
		require.Equal(t, ourTask, env.run(input).succeeds().TaskID)
		require.Equal(t, 1, env.submissions)
	})
	t.Run("of another task", func(t *testing.T) {
		env := newJobEnv(t)
		collected := env.collectors()
		env.onSubmit(env.accepted(ourTask)).onSilentRecord(otherTask).onPoll().onStore()
		env.sendSuccess(time.Second, otherTask).sendSuccess(2*time.Second, ourTask)
		env.run(request).succeeds()
		require.Equal(t, []string{otherTask}, *collected)
	})
}

// The tasks of a job that a person ended are named, not collected.
func TestStraysOfACancelledJob(t *testing.T) {
	env := newJobEnv(t)
	collected := env.collectors()
	env.onSubmit(env.accepted(ourTask)).onIdentify(otherTask, nil)
	env.sendSuccess(time.Minute, otherTask)
	env.RegisterDelayedCallback(env.CancelWorkflow, 2*time.Minute)
	env.run(request)
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
	var text string
	var facts paid.Facts
	require.NoError(t, cancelled.Details(&text, &facts))
	require.Equal(t, []string{otherTask}, facts.OtherTasks)
	require.Empty(t, *collected)
}

// A callback that arrives while the collecting job starts is processed, too.
func TestCallbackWhileACollectingJobStarts(t *testing.T) {
	const third = "33333333333333333333333333333333"
	env := newJobEnv(t)
	collected := env.collectors(func(taskID string) {
		if taskID == otherTask {
			env.SignalWorkflow(workflows.CallbackSignal.Name, workflows.Callback{TaskID: third, Code: 200})
		}
	})
	env.onSubmit(env.accepted(ourTask)).onIdentify(otherTask, nil).onIdentify(third, nil).onPoll().onStore()
	env.sendSuccess(time.Minute, otherTask).sendSuccess(2*time.Minute, ourTask)
	env.run(request).succeeds()
	require.Equal(t, []string{otherTask, third}, *collected)
}
