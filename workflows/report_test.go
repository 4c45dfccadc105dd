package workflows_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows"
)

const parentID = "default-test-workflow-id"

// childEnv is a jobEnv with a parent for the job. It keeps the reports that the parent
// receives from the job, and from activities, which it answers with an error.
type childEnv struct {
	*jobEnv
	reported, byActivity []workflows.JobEnd
	answer               error
}

func newChildEnv(t *testing.T) *childEnv {
	t.Helper()
	env := &childEnv{jobEnv: newJobEnv(t)}
	env.RegisterWorkflowWithOptions(func(ctx workflow.Context, input workflows.ModifyVideoInput) error {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "shot", WaitForCancellation: true})
		err := workflow.ExecuteChildWorkflow(ctx, workflows.ModifyVideoName, input).Get(ctx, nil)
		var end workflows.JobEnd
		for channel := workflows.JobEndSignal.Channel(ctx); channel.ReceiveAsync(&end); {
			env.reported = append(env.reported, end)
		}
		return err
	}, workflow.RegisterOptions{Name: "Parent"})
	env.OnActivity(a.ReportEnd, anything, anything).Return(func(_ context.Context, report activities.ReportInput) error {
		require.Equal(t, parentID, report.Batch)
		env.byActivity = append(env.byActivity, report.End)
		return env.answer
	}).Maybe()
	return env
}

// reports runs a job as the child of a batch and returns its reports.
func (env *childEnv) reports(input workflows.ModifyVideoInput, cancelAfter time.Duration) []workflows.JobEnd {
	env.t.Helper()
	if cancelAfter > 0 {
		env.RegisterDelayedCallback(env.CancelWorkflow, cancelAfter)
	}
	env.ExecuteWorkflow("Parent", input)
	require.True(env.t, env.IsWorkflowCompleted())
	return slices.Concat(env.reported, env.byActivity)
}

// ofBatch is the request of a job that the parent has started.
func ofBatch() workflows.ModifyVideoInput {
	input := request
	input.Batch = parentID
	return input
}

func TestReports(t *testing.T) {
	for name, test := range map[string]struct {
		script      func(*jobEnv)
		cancelAfter time.Duration
		want        workflows.JobEnd
	}{
		"done": {func(env *jobEnv) { env.onSubmit(env.accepted(ourTask)).onPoll().onStore() }, 0,
			workflows.JobEnd{Outcome: activities.OutcomeDone, TaskID: ourTask, Charges: 1}},
		"refused": {func(env *jobEnv) { env.onSubmit(env.fails(activities.SubmitRefused)) }, 0,
			workflows.JobEnd{Outcome: activities.OutcomeFailed, Failure: workflows.SubmitRefused}},
		"unknown": {func(env *jobEnv) { env.onSubmit(env.unknown()) }, 0,
			workflows.JobEnd{Outcome: activities.OutcomeFailed, Failure: workflows.SubmitUnknown, Charges: 1}},
		"cancelled": {func(env *jobEnv) { env.onSubmit(env.accepted(ourTask)) }, time.Minute,
			workflows.JobEnd{Outcome: activities.OutcomeCancelled, TaskID: ourTask, Charges: 1, Next: "lumaflow submit --task-id " + ourTask}},
	} {
		t.Run(name, func(t *testing.T) {
			env := newChildEnv(t)
			test.script(env.jobEnv)
			reported := env.reports(ofBatch(), test.cancelAfter)
			require.Len(t, reported, 1, "%v", env.GetWorkflowError())
			// Late proof may change any other end until it is in the history.
			require.Equal(t, test.want.Outcome == activities.OutcomeDone, len(env.byActivity) == 1)
			got := reported[0]
			require.Equal(t, "shot", got.Job)
			require.NotEmpty(t, got.Run)
			require.Equal(t, test.want.Outcome == activities.OutcomeDone, len(got.Files) == 1)
			require.Equal(t, test.want.Outcome == activities.OutcomeDone, got.Reason == "")
			if test.want.Next != "" {
				require.Equal(t, test.want.Next, got.Next)
			}
			got.Job, got.Run, got.Files, got.Reason, got.Next, test.want.Next = "", "", nil, "", "", ""
			require.Equal(t, test.want, got)
		})
	}
}

// The report has the model of the task and what it cost.
func TestReportOfAModel(t *testing.T) {
	const model = "happyhorse/video-edit"
	input := ofBatch()
	input.Model = model
	cost := 28.0
	end := finished(ourTask, 1)
	end.Credits = &cost
	env := newChildEnv(t)
	env.onSubmit(env.accepted(ourTask)).onStore().OnActivity(a.Poll, anything, anything).Return(end, nil)
	reported := env.reports(input, 0)
	require.Len(t, reported, 1, "%v", env.GetWorkflowError())
	require.Equal(t, model, reported[0].Model)
	require.Equal(t, &cost, reported[0].Credits)

	env = newChildEnv(t)
	env.onSubmit(env.unknown())
	reported = env.reports(input, 0)
	require.Len(t, reported, 1, "%v", env.GetWorkflowError())
	require.Equal(t, model, reported[0].Model)
	require.Nil(t, reported[0].Credits, "the cost is unknown")
}

// A report that fails is not repeated, and the job ends as it does with one.
func TestLostReport(t *testing.T) {
	env := newChildEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore()
	env.answer = errors.New("unavailable")
	require.Len(t, env.reports(ofBatch(), 0), 1)
	require.NoError(t, env.GetWorkflowError())
}

// Only a job that its batch has started reports: not one that another client has started,
// nor one that names another batch.
func TestNoReport(t *testing.T) {
	env := newChildEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore()
	require.Empty(t, env.reports(request, 0))
	require.NoError(t, env.GetWorkflowError())

	env = newChildEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore()
	other := request
	other.Batch = "another"
	require.Empty(t, env.reports(other, 0))
	require.NoError(t, env.GetWorkflowError())

	env = newChildEnv(t)
	env.onSubmit(env.accepted(ourTask)).onPoll().onStore().run(ofBatch()).succeeds()
}
