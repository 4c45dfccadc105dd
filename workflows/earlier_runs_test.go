package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// ownRun is the run that EarlierRuns answers to. The first run of the chain has no
// id in the test environment.
const ownRun = "default-test-run-id"

// laterRun is an attempt of a run that is not the first of its chain.
func laterRun(activities.SubmitInput) (activities.Submitted, error) {
	return activities.Submitted{}, temporal.NewNonRetryableApplicationError("an earlier run may have paid", activities.LaterRun, nil)
}

// onEarlierRuns scripts what the earlier runs paid.
func (env *jobEnv) onEarlierRuns(earlier runs.Earlier, err error) *jobEnv {
	earlier.RunID = ownRun
	env.OnActivity(a.EarlierRuns, anything).Return(func(context.Context) (activities.Earlier, error) {
		return activities.Earlier{Earlier: earlier, Settings: keptFacts}, err
	})
	return env
}

// keptFacts are the settings of a worker of this release.
var keptFacts = activities.Settings{Callbacks: true, PollAfter: 10 * time.Minute, Facts: true}

func TestLaterRunAdoptsTheTaskOfAnEarlierOne(t *testing.T) {
	env := newJobEnv(t)
	submittedAt := env.Now().Add(-time.Hour).UTC()
	env.onSubmit(laterRun).onEarlierRuns(runs.Earlier{Tasks: []runs.Task{{TaskID: ourTask, SubmittedAt: submittedAt}}}, nil).onPoll().onStore()
	result := env.run(request).succeeds()
	require.Equal(t, ourTask, result.TaskID)
	require.Equal(t, "poll", result.WokenBy)
	require.WithinDuration(t, submittedAt, result.SubmittedAt, 0)
	require.Equal(t, 1, env.submissions)
}

func TestLaterRunCollectsEveryTaskOfTheEarlierOnes(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(laterRun).onEarlierRuns(runs.Earlier{Tasks: []runs.Task{{TaskID: ourTask}, {TaskID: otherTask}}}, nil).onStore()
	env.onIdentify(otherTask, nil)
	env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		return finished(in.TaskID, 1), nil
	})
	started := env.childIDs()
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, []string{runs.CollectorID(otherTask)}, *started)
	require.Contains(t, env.status().Detail, "job "+runs.CollectorID(otherTask)+" collects its task "+otherTask)
}

func TestLaterRunSubmitsNothingWithoutProof(t *testing.T) {
	at := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		earlier runs.Earlier
		err     error
		cause   string
	}{
		"an earlier run began to send": {runs.Earlier{Unknown: []runs.Submission{{At: at, Attempts: 2}}}, nil, "an earlier run of this job began to send"},
		"an earlier run is deleted":    {runs.Earlier{Unknown: []runs.Submission{{}}, Unread: "run-1"}, nil, "an earlier run of this job, run-1, is deleted"},
		"they can't be read": {runs.Earlier{}, temporal.NewNonRetryableApplicationError("no access", "Odd", nil),
			"the earlier runs of this job could not be read: no access"},
		"no worker reads them": {runs.Earlier{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil),
			"the earlier runs of this job could not be read: no worker finished it in time"},
	} {
		t.Run(name, func(t *testing.T) {
			env := newJobEnv(t)
			// A timeout would be retried until the deadline of a day.
			env.onSubmit(laterRun).onEarlierRuns(test.earlier, test.err)
			env.SetStartTime(at)
			env.checkStatusAfter(30*time.Minute, func(status workflows.Status) {
				require.Equal(t, workflows.StageSubmitUnknown, status.Stage)
				require.Equal(t, "lumaflow resolve default-test-workflow-id --adopt TASKID, --resubmit or --write-off", status.Next)
			})
			input := request
			input.Deadline = "1m"
			env.run(input).failsWith(workflows.SubmitUnknown, test.cause)
			require.Equal(t, 1, env.submissions)
		})
	}
}

// The input's permission to submit again is about the submissions of the run itself.
func TestLaterRunDoesNotSubmitByTheInput(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(laterRun).onEarlierRuns(runs.Earlier{Unknown: []runs.Submission{{At: env.Now(), Attempts: 1}}}, nil)
	input := request
	input.OnUnknownSubmit = "resubmit"
	env.run(input).failsWith(workflows.SubmitUnknown)
	require.Equal(t, 1, env.submissions)
}

// An earlier run submitted again after a submission with an unknown outcome.
func TestLaterRunNamesTheUnknownSubmissionBesideATask(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(laterRun).onPoll().onStore()
	env.onEarlierRuns(runs.Earlier{Tasks: []runs.Task{{TaskID: ourTask}}, Unknown: []runs.Submission{{At: env.Now(), Attempts: 2}}}, nil)
	env.run(request).succeeds()
	require.Contains(t, env.status().Detail, "An earlier submission of this job may be paid, too")
	require.Equal(t, 2, env.status().SubmitAttempts)
}

// A later run that no worker submits for has not read what the earlier ones paid.
func TestLaterRunWithoutAWorkerMayBePaid(t *testing.T) {
	env := newJobEnv(t).withInfo(func(info *workflow.Info) { info.FirstRunID = "first" })
	noWorker := env.timesOut(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START)
	env.onSubmit(noWorker, noWorker, noWorker)
	input := request
	input.Deadline = "1ns"
	env.run(input).failsWith(workflows.SubmitUnknown, "An earlier run of this job may have paid")
	require.True(t, factsOf(t, env.GetWorkflowError()).PaidOpen)
}

func TestLateProofReachesALaterRun(t *testing.T) {
	at := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	began := runs.Earlier{Unknown: []runs.Submission{{At: at, Attempts: 1}}}
	t.Run("by evidence", func(t *testing.T) {
		env := newJobEnv(t)
		env.SetStartTime(at)
		env.onSubmit(laterRun).onEarlierRuns(began, nil).onPoll().onStore().sendSuccess(20*time.Minute, ourTask)
		env.sendEvidence(time.Minute, activities.Evidence{Phase: activities.PhaseAccepted, TaskID: ourTask, At: at, Attempts: 1, Settings: keptFacts})
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
		require.Equal(t, 1, env.status().SubmitAttempts)
	})
	t.Run("by a callback", func(t *testing.T) {
		env := newJobEnv(t)
		env.SetStartTime(at)
		env.onSubmit(laterRun).onEarlierRuns(began, nil).onIdentify(ourTask, nil).onPoll().onStore().sendSuccess(time.Minute, ourTask)
		require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	})
	t.Run("an operator has it submitted again", func(t *testing.T) {
		env := newJobEnv(t)
		env.SetStartTime(at)
		var again activities.SubmitInput
		env.onSubmit(laterRun, func(in activities.SubmitInput) (activities.Submitted, error) {
			again = in
			return env.accepted(ourTask)(in)
		}).onEarlierRuns(began, nil).onPoll().onStore().sendSuccess(20*time.Minute, ourTask)
		env.sendResolution(time.Minute, workflows.Resolution{Action: workflows.Resubmit})
		env.run(request).succeeds()
		require.Equal(t, ownRun, again.Run)
		require.Equal(t, 1, again.Attempts, "the count of the earlier run continues")
		require.Contains(t, env.status().Detail, "An earlier submission of this job may be paid")
	})
}

func TestLaterRunSubmitsAfterRunsThatPaidNothing(t *testing.T) {
	env := newJobEnv(t)
	var inputs []activities.SubmitInput
	env.onSubmit(
		func(in activities.SubmitInput) (activities.Submitted, error) {
			inputs = append(inputs, in)
			return laterRun(in)
		},
		func(in activities.SubmitInput) (activities.Submitted, error) {
			inputs = append(inputs, in)
			return env.accepted(ourTask)(in)
		},
	).onEarlierRuns(runs.Earlier{Runs: 3}, nil).onPoll().onStore().sendSuccess(20*time.Minute, ourTask)
	env.run(request).succeeds()
	require.NotEqual(t, ownRun, inputs[0].Run)
	require.Equal(t, ownRun, inputs[1].Run, "the run that read the earlier ones")
}

// A run that was reset past the answer about its earlier runs asks again.
func TestAnswersAboutEarlierRunsAreNotReused(t *testing.T) {
	env := newJobEnv(t)
	asked := 0
	env.OnActivity(a.EarlierRuns, anything).Return(func(context.Context) (activities.Earlier, error) {
		asked++
		return activities.Earlier{Earlier: runs.Earlier{RunID: ownRun}, Settings: keptFacts}, nil
	})
	env.onSubmit(laterRun, laterRun, env.accepted(ourTask)).onPoll().onStore().sendSuccess(20*time.Minute, ourTask)
	env.run(request).succeeds()
	require.Equal(t, 2, asked)
}

func TestCancelWhileReadingTheEarlierRuns(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(laterRun).withInfo(func(info *workflow.Info) { info.FirstRunID = "first" })
	env.OnActivity(a.EarlierRuns, anything).Return(func(context.Context) (activities.Earlier, error) {
		return activities.Earlier{}, temporal.NewApplicationErrorWithOptions("down", activities.ProviderUnavailable, temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour})
	})
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	env.run(request)
	var canceled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &canceled)
	require.Contains(t, env.status().Detail, "a task may exist")
	require.True(t, factsOf(t, env.GetWorkflowError()).PaidOpen)
}
