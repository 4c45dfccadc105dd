package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

type submitOutcome = func(activities.SubmitInput) (activities.Submitted, error)

// intending is a submission that declares its intent first.
func (env *jobEnv) intending(outcome submitOutcome) submitOutcome {
	return func(in activities.SubmitInput) (activities.Submitted, error) {
		env.SignalWorkflow(workflows.IntentSignal.Name, env.evidence(activities.PhaseSending, ""))
		return outcome(in)
	}
}

// memos collects the facts that the job stores in its memo.
func (env *jobEnv) memos() *[]paid.Facts {
	var stored []paid.Facts
	env.OnUpsertMemo(anything).Return(nil).Run(func(args mock.Arguments) {
		fields, ok := args.Get(0).(map[string]any)
		require.True(env.t, ok)
		facts, ok := fields[paid.MemoKey].(paid.Facts)
		require.True(env.t, ok)
		facts.SubmittedAt = time.Time{}
		stored = append(stored, facts)
	})
	return &stored
}

func (env *jobEnv) childIDs() *[]string {
	var ids []string
	env.SetOnChildWorkflowStartedListener(func(info *workflowInfo, _ workflowContext, _ converter.EncodedValues) {
		ids = append(ids, info.WorkflowExecution.ID)
	})
	return &ids
}

func TestMemo(t *testing.T) {
	intent := paid.Facts{PaidOpen: true}
	task := paid.Facts{TaskID: ourTask, PaidOpen: true}
	hold := activities.Hold{Code: 402, Attempts: 1, Settings: keptFacts}
	tests := []struct {
		name   string
		script func(*jobEnv)
		input  workflows.ModifyVideoInput
		want   []paid.Facts
	}{
		{"an intent, then the task", func(env *jobEnv) {
			env.onSubmit(env.intending(env.accepted(ourTask))).sendSuccess(time.Minute, ourTask)
		}, request, []paid.Facts{intent, task}},
		{"a hold takes the intent back", func(env *jobEnv) {
			env.onSubmit(env.intending(env.fails(activities.Held, hold)), env.intending(env.accepted(ourTask))).sendSuccess(time.Minute, ourTask)
		}, request, []paid.Facts{intent, {}, intent, task}},
		{"a worker that died before it sent takes the intent back", func(env *jobEnv) {
			env.onSubmit(env.intending(env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, env.evidence(activities.PhaseRefused, ""))),
				env.accepted(ourTask)).sendSuccess(time.Minute, ourTask).withoutSubmitRetries()
		}, request, []paid.Facts{intent, {}, task}},
		{"an unknown submission, then its task by callback", func(env *jobEnv) {
			env.onSubmit(env.intending(env.unknown())).onIdentify(ourTask, nil).sendSuccess(time.Minute, ourTask)
		}, request, []paid.Facts{intent, task}},
		{"late evidence", func(env *jobEnv) {
			sending := env.evidence(activities.PhaseSending, "")
			env.onSubmit(env.intending(env.fails(activities.SubmitUnknown, sending))).sendSuccess(20*time.Minute, ourTask)
			env.sendEvidence(time.Minute, withOutcome(sending, activities.PhaseAccepted, ourTask))
		}, request, []paid.Facts{intent, task}},
		{"an operator adopts", func(env *jobEnv) {
			env.onSubmit(env.intending(env.unknown())).onIdentify(ourTask, nil)
			env.sendResolution(time.Minute, workflows.Resolution{Action: workflows.AdoptTask, TaskID: ourTask})
		}, request, []paid.Facts{intent, task}},
		{"the task of an earlier run", func(env *jobEnv) {
			env.onSubmit(laterRun).onEarlierRuns(runs.Earlier{Tasks: []runs.Task{{TaskID: ourTask}}}, nil)
		}, request, []paid.Facts{task}},
		{"an unknown submission of an earlier run", func(env *jobEnv) {
			env.onSubmit(laterRun).onEarlierRuns(runs.Earlier{Unknown: []runs.Submission{{At: env.Now()}}}, nil).onIdentify(ourTask, nil).sendSuccess(time.Minute, ourTask)
		}, request, []paid.Facts{intent, task}},
		{"a worker of lumaflow v0.1", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).sendSuccess(time.Minute, ourTask)
		}, request, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			stored := env.memos()
			test.script(env)
			env.onPoll().onStore()
			env.run(test.input).succeeds()
			require.Equal(t, test.want, *stored)
		})
	}
	t.Run("an adopting job", func(t *testing.T) {
		env := newJobEnv(t)
		stored := env.memos()
		env.OnActivity(a.Identify, anything, anything).Return(activities.Identified{TaskID: ourTask, Settings: keptFacts}, nil)
		env.onPoll().onStore().run(workflows.ModifyVideoInput{TaskID: ourTask}).succeeds()
		ended := task
		ended.EndedAt = finished(ourTask, 1).CompletedAt
		require.Equal(t, []paid.Facts{task, ended}, *stored)
	})
}

// factsOf are the facts in the details of the error that a job ended with.
func factsOf(t *testing.T, err error) (facts paid.Facts) {
	t.Helper()
	var failed *temporal.ApplicationError
	var canceled *temporal.CanceledError
	switch text := ""; {
	case asError(err, &failed):
		require.NoError(t, failed.Details(&facts))
	case asError(err, &canceled):
		require.NoError(t, canceled.Details(&text, &facts))
	default:
		require.Fail(t, "no failure", "%v", err)
	}
	facts.SubmittedAt = time.Time{}
	return facts
}

func TestFailureDetails(t *testing.T) {
	collect := "lumaflow submit --task-id "
	ended := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	fails := func(errorType string) error { return temporal.NewNonRetryableApplicationError("odd", errorType, nil) }
	accepted := func(env *jobEnv) *jobEnv {
		return env.onSubmit(env.accepted(ourTask)).sendSuccess(time.Minute, ourTask)
	}
	polls := func(env *jobEnv, err error) {
		env.OnActivity(a.Poll, anything, anything).Return(activities.Finished{}, err)
	}
	downloads := func(env *jobEnv, err error) {
		accepted(env).onPoll()
		env.OnActivity(a.Download, anything, anything).Return(activities.Downloaded{}, err)
	}
	cancel := func(env *jobEnv) { env.RegisterDelayedCallback(env.CancelWorkflow, 2*time.Minute) }
	tests := []struct {
		name   string
		script func(*jobEnv)
		input  workflows.ModifyVideoInput
		want   paid.Facts
	}{
		{"InvalidRequest", func(*jobEnv) {}, workflows.ModifyVideoInput{}, paid.Facts{Next: "correct the input and start the job again"}},
		{"InvalidRequest, no such task", func(env *jobEnv) { env.onIdentify(ourTask, fails(activities.UnknownTask)) }, workflows.ModifyVideoInput{TaskID: ourTask},
			paid.Facts{TaskID: ourTask, Next: "check the id at https://kie.ai/logs and that KIE_API_KEY belongs to the account that submitted it"}},
		{"InvalidRequest, no such task of the model", func(env *jobEnv) { env.onIdentify(ourTask, fails(activities.UnknownTask)) }, workflows.ModifyVideoInput{TaskID: ourTask, Model: "aleph"},
			paid.Facts{TaskID: ourTask, Model: "aleph", Next: "leave the model out, so that all families are tried; else check the id at https://kie.ai/logs and that KIE_API_KEY belongs to the account that submitted it"}},
		{"SubmitRefused", func(env *jobEnv) {
			env.onSubmit(env.fails(activities.SubmitRefused, env.evidence(activities.PhaseRefused, "")))
		}, request, paid.Facts{Next: "correct the request and submit again"}},
		{"SubmitUnknown", func(env *jobEnv) { env.onSubmit(env.unknown()) }, request, paid.Facts{PaidOpen: true, Next: collect + "TASKID"}},
		{"SubmitUnknown with candidates", func(env *jobEnv) {
			env.onSubmit(env.unknown()).onIdentify(otherTask, fails("Odd")).onIdentify(foreignTask, foreignTaskError()).
				sendSuccess(time.Minute, otherTask).sendSuccess(time.Minute, foreignTask)
		}, request, paid.Facts{PaidOpen: true, OtherTasks: []string{otherTask}, Next: collect + "TASKID"}},
		{"SubmitUnknown, written off", func(env *jobEnv) {
			env.onSubmit(env.unknown()).sendResolution(time.Minute, workflows.Resolution{Action: workflows.WriteOff})
		}, request, paid.Facts{PaidOpen: true, WrittenOff: true, Next: collect + "TASKID"}},
		{"GenerationFailed", func(env *jobEnv) { polls(accepted(env), fails(activities.GenerationFailed)) }, request,
			paid.Facts{TaskID: ourTask, Next: "change the prompt or the video and submit again; the same submit command starts a new, paid task"}},
		{"ResultOverdue", func(env *jobEnv) { polls(accepted(env), fails(activities.ResultOverdue)) }, request,
			paid.Facts{TaskID: ourTask, PaidOpen: true, Next: collect + ourTask}},
		{"ResultOverdue, media are gone", func(env *jobEnv) { downloads(env, fails(activities.MediaGone)) }, request,
			paid.Facts{TaskID: ourTask, EndedAt: ended, Next: "there is nothing left to collect; to have the video made again, submit it as a new, paid job"}},
		{"DownloadRejected", func(env *jobEnv) { downloads(env, fails(activities.DownloadRejected)) }, request,
			paid.Facts{TaskID: ourTask, PaidOpen: true, EndedAt: ended, Next: collect + ourTask}},
		{"cancelled while waiting", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask))
			cancel(env)
		}, request, paid.Facts{TaskID: ourTask, PaidOpen: true, Next: collect + ourTask}},
		{"cancelled while unknown", func(env *jobEnv) {
			env.onSubmit(env.unknown())
			cancel(env)
		}, request, paid.Facts{PaidOpen: true, Next: collect + "TASKID"}},
		{"cancelled while held", func(env *jobEnv) {
			env.onSubmit(env.fails(activities.Held, activities.Hold{Code: 402, Attempts: 1}), held(time.Hour))
			cancel(env)
		}, request, paid.Facts{}},
		{"cancelled after late evidence", func(env *jobEnv) {
			env.onSubmit(env.accepted(ourTask)).sendEvidence(time.Minute, withOutcome(env.evidence(activities.PhaseSending, ""), activities.PhaseAccepted, otherTask))
			cancel(env)
		}, request, paid.Facts{TaskID: ourTask, PaidOpen: true, OtherTasks: []string{otherTask}, Next: collect + ourTask}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env := newJobEnv(t)
			test.script(env)
			env.run(test.input)
			require.Equal(t, test.want, factsOf(t, env.GetWorkflowError()))
			require.Equal(t, test.want.Next, env.status().Next)
			if test.want.Next != "" {
				require.Contains(t, env.status().Detail, test.want.Next)
			}
		})
	}
}

func TestNext(t *testing.T) {
	env := newJobEnv(t)
	env.onSubmit(env.unknown()).onIdentify(ourTask, nil).onPoll().onStore().sendSuccess(10*time.Minute, ourTask)
	env.checkStatusAfter(5*time.Minute, func(status workflows.Status) {
		require.Equal(t, "lumaflow resolve default-test-workflow-id --adopt TASKID, --resubmit or --write-off", status.Next)
		require.Contains(t, status.Detail, status.Next)
	})
	env.run(request).succeeds()
	require.Empty(t, env.status().Next, "a done job needs nothing")
}

// The intent that an attempt declared stands where its heartbeats were reset.
func TestIntentOfAnAttemptThatTimedOut(t *testing.T) {
	const kinds = 3
	for kind := range kinds {
		timeout := []enumspb.TimeoutType{enumspb.TIMEOUT_TYPE_HEARTBEAT, enumspb.TIMEOUT_TYPE_START_TO_CLOSE, enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START}[kind]
		t.Run(timeout.String(), func(t *testing.T) {
			env := newJobEnv(t).withoutSubmitRetries()
			env.onSubmit(env.intending(env.timesOut(timeout))).onIdentify(ourTask, nil).onPoll().onStore().sendSuccess(10*time.Minute, ourTask)
			env.checkStatusAfter(5*time.Minute, func(status workflows.Status) {
				require.Equal(t, workflows.StageSubmitUnknown, status.Stage)
				require.Equal(t, 1, status.SubmitAttempts)
			})
			require.Equal(t, ourTask, env.run(request).succeeds().TaskID)
			require.Equal(t, 1, env.submissions)
		})
	}
	t.Run("a heartbeat is later than the intent", func(t *testing.T) {
		env := newJobEnv(t).withoutSubmitRetries()
		env.onSubmit(env.intending(env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, env.evidence(activities.PhaseRefused, ""))), env.accepted(ourTask))
		env.onPoll().onStore().sendSuccess(10*time.Minute, ourTask)
		env.run(request).succeeds()
		require.Equal(t, 2, env.submissions)
	})
	t.Run("an intent of the attempt before does not count", func(t *testing.T) {
		env := newJobEnv(t).withoutSubmitRetries()
		env.onSubmit(env.intending(env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT, env.evidence(activities.PhaseRefused, ""))),
			env.timesOut(enumspb.TIMEOUT_TYPE_HEARTBEAT), env.accepted(ourTask))
		env.onPoll().onStore().sendSuccess(10*time.Minute, ourTask)
		env.run(request).succeeds()
		require.Equal(t, 3, env.submissions)
	})
}
