package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

const mayBePaid = "An earlier submission of this job may be paid, too"

// lostTwice is a later run at ten o'clock. The earlier ones lost a submission at one
// o'clock and, after it, one at two o'clock. The accepted tasks are those of further
// submissions.
func lostTwice(t *testing.T, accepted ...string) (env *jobEnv, first, second activities.Evidence) {
	t.Helper()
	env = newJobEnv(t)
	at := func(hour int) time.Time { return time.Date(2026, 11, 27, hour, 0, 0, 0, time.UTC) }
	env.SetStartTime(at(10))
	submissions := []func(activities.SubmitInput) (activities.Submitted, error){laterRun}
	for _, taskID := range accepted {
		submissions = append(submissions, env.accepted(taskID))
	}
	env.onSubmit(submissions...).onStore()
	env.OnActivity(a.Poll, anything, anything).Return(func(_ ctx, in activities.PollInput) (activities.Finished, error) {
		return finished(in.TaskID, 1), nil
	})
	env.onEarlierRuns(runs.Earlier{Unknown: []runs.Submission{{At: at(1), Attempts: 1}, {At: at(2), Attempts: 2}}}, nil)
	proof := activities.Evidence{Phase: activities.PhaseAccepted, TaskID: ourTask, Attempts: 2, Settings: keptFacts}
	first, second = proof, proof
	first.At, second.At = at(1), at(2)
	return env, first, second
}

func refused(evidence activities.Evidence) activities.Evidence {
	evidence.Phase, evidence.TaskID = activities.PhaseRefused, ""
	return evidence
}

// The proof of one of two lost submissions leaves the other open.
func TestLaterRunFindsOneOfTwoLostSubmissions(t *testing.T) {
	for name, proof := range map[string]func(env *jobEnv, first, second activities.Evidence){
		"by a callback": func(env *jobEnv, _, _ activities.Evidence) {
			env.OnActivity(a.Identify, anything, anything).Return(func(_ context.Context, in activities.IdentifyInput) (activities.Identified, error) {
				require.WithinDuration(t, time.Date(2026, 11, 27, 0, 45, 0, 0, time.UTC), in.NotBefore, 0, "the oldest submission may have created it")
				return activities.Identified{TaskID: ourTask, Settings: keptFacts}, nil
			})
			env.sendSuccess(time.Minute, ourTask)
		},
		"by evidence of the first":  func(env *jobEnv, first, _ activities.Evidence) { env.sendEvidence(time.Minute, first) },
		"by evidence of the second": func(env *jobEnv, _, second activities.Evidence) { env.sendEvidence(time.Minute, second) },
		"by an operator": func(env *jobEnv, _, _ activities.Evidence) {
			env.onIdentify(ourTask, nil).sendResolution(time.Minute, workflows.Resolution{Action: workflows.AdoptTask, TaskID: ourTask})
		},
	} {
		t.Run(name, func(t *testing.T) {
			env, first, second := lostTwice(t)
			proof(env, first, second)
			env.sendSuccess(20*time.Minute, ourTask)
			require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
			require.Equal(t, 1, env.submissions)
			require.Contains(t, env.status().Detail, mayBePaid)
		})
	}
}

func TestLaterRunCollectsBothOfTwoLostSubmissions(t *testing.T) {
	env, first, second := lostTwice(t)
	second.TaskID = otherTask
	started := env.childIDs()
	env.sendEvidence(time.Minute, first).sendEvidence(2*time.Minute, second).sendSuccess(20*time.Minute, ourTask)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, []string{runs.CollectorID(otherTask)}, *started)
	require.NotContains(t, env.status().Detail, mayBePaid)
}

// Nothing is sent while one of them is open.
func TestLaterRunSubmitsAfterBothAreRefused(t *testing.T) {
	env, first, second := lostTwice(t, ourTask)
	env.sendEvidence(time.Minute, refused(first)).sendEvidence(40*time.Minute, refused(second)).sendSuccess(time.Hour, ourTask)
	env.checkStatusAfter(30*time.Minute, func(status workflows.Status) {
		require.Equal(t, workflows.StageSubmitUnknown, status.Stage)
		require.Equal(t, 1, env.submissions)
	})
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, 2, env.submissions)
	require.NotContains(t, env.status().Detail, mayBePaid)
}

func TestOperatorPermitsASubmissionBesideBoth(t *testing.T) {
	env, first, _ := lostTwice(t, otherTask)
	started := env.childIDs()
	env.sendResolution(time.Minute, workflows.Resolution{Action: workflows.Resubmit})
	env.sendEvidence(5*time.Minute, first)
	require.Equal(t, otherTask, env.run(request).succeeds().TaskID)
	require.Equal(t, 2, env.submissions)
	require.Equal(t, []string{runs.CollectorID(ourTask)}, *started)
	require.Contains(t, env.status().Detail, mayBePaid, "the second one")
}

// Earlier runs that can't be read may have paid any number of times.
func TestOneTaskDoesNotSettleUnreadableRuns(t *testing.T) {
	for name, proof := range map[string]func(*jobEnv){
		"a callback": func(env *jobEnv) { env.onIdentify(ourTask, nil).sendSuccess(time.Minute, ourTask) },
		"late evidence": func(env *jobEnv) {
			env.sendEvidence(time.Minute, activities.Evidence{Phase: activities.PhaseAccepted, TaskID: ourTask, At: env.Now(), Attempts: 1, Settings: keptFacts})
			env.sendSuccess(20*time.Minute, ourTask)
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := newJobEnv(t)
			env.onSubmit(laterRun).onPoll().onStore()
			env.onEarlierRuns(runs.Earlier{}, temporal.NewNonRetryableApplicationError("no access", "Odd", nil))
			proof(env)
			require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
			require.Equal(t, 1, env.submissions)
			require.Contains(t, env.status().Detail, mayBePaid)
		})
	}
}

// Evidence that settles the only lost submission leaves no search to a callback that
// arrives with it.
func TestRefusalBesideACallbackBeforeTheNextSubmission(t *testing.T) {
	env := newJobEnv(t)
	lost := env.evidence(activities.PhaseSending, "")
	env.onSubmit(env.fails(activities.SubmitUnknown, lost), func(activities.SubmitInput) (activities.Submitted, error) {
		env.SignalWorkflow(workflows.CallbackSignal.Name, workflows.Callback{TaskID: otherTask, Code: 200})
		env.SignalWorkflow(workflows.EvidenceSignal.Name, refused(lost))
		return env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT)(activities.SubmitInput{})
	}, env.accepted(ourTask)).onIdentify(otherTask, foreignTaskError()).onPoll().onStore()
	env.sendResolution(time.Minute, workflows.Resolution{Action: workflows.Resubmit})
	env.sendSuccess(20*time.Minute, ourTask)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Equal(t, 3, env.submissions)
}

// A callback is taken for the second submission, and evidence shows that it was the
// first: the second is open.
func TestEvidenceOfTheJobsTaskLeavesTheOtherSubmissionOpen(t *testing.T) {
	env := newJobEnv(t)
	first := env.evidence(activities.PhaseSending, "")
	second := first
	second.At = first.At.Add(time.Second)
	env.onSubmit(env.fails(activities.SubmitUnknown, first), env.fails(activities.SubmitUnknown, second)).onIdentify(ourTask, nil).onPoll().onStore()
	env.sendResolution(time.Minute, workflows.Resolution{Action: workflows.Resubmit})
	env.sendSuccess(2*time.Minute, ourTask)
	first.Phase, first.TaskID = activities.PhaseAccepted, ourTask
	env.sendEvidence(2*time.Minute+time.Millisecond, first)
	require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
	require.Contains(t, env.status().Detail, mayBePaid)
}
