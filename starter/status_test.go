package starter_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

func TestStatusOfAnOpenJob(t *testing.T) {
	fake := startertest.New(t)
	want := workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID, Detail: "kie.ai works", SubmitAttempts: 1}
	fake.Job(jobID).Answers(want)
	report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.Equal(t, starter.StateRunning, report.State)
	require.Equal(t, taskID, report.TaskID)
	require.Equal(t, want, *report.Status)
	require.Empty(t, report.Note)
	require.Nil(t, report.Failure)
}

// The memo has the model and the cost of a job without a result.
func TestStatusNamesTheModel(t *testing.T) {
	fake := startertest.New(t)
	fake.Job("open").Memo = &paid.Facts{TaskID: taskID, Model: "aleph", PaidOpen: true}
	fake.Job("failed").End(statusFailed, time.Minute).Memo = &paid.Facts{TaskID: taskID, Model: "wan/2-7-videoedit", Credits: new(0.0)}
	for id, model := range map[string]string{"open": "aleph", "failed": "wan/2-7-videoedit"} {
		report, err := starter.New(fake, starter.Options{}).Status(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, model, report.Model)
		require.Equal(t, id == "failed", report.Credits != nil)
	}
}

// The status of a job that answers contains its failing activities as well, because
// the workflow does not observe their retries.
func TestStatusListsFailingActivities(t *testing.T) {
	fake := startertest.New(t)
	failing := func(activity, errorType string) *workflowpb.PendingActivityInfo {
		return &workflowpb.PendingActivityInfo{
			ActivityType: &commonpb.ActivityType{Name: activity}, Attempt: 3,
			LastFailure: startertest.FailureOf(startertest.ApplicationError(errorType, "why "+activity+" failed")),
		}
	}
	fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageCollecting}).Pending = []*workflowpb.PendingActivityInfo{
		failing("Poll", activities.Pending),
		failing("Submit", activities.Held),
		{ActivityType: &commonpb.ActivityType{Name: "Download"}, Attempt: 1},
		failing("Download", activities.StorageUnavailable),
	}
	report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
	require.NoError(t, err)
	require.NotNil(t, report.Status)
	require.Equal(t, []starter.Pending{{Activity: "Download", Attempt: 3, LastFailure: "why Download failed"}}, report.Pending)
}

func TestStatusWithoutAnswer(t *testing.T) {
	tests := []struct {
		name   string
		worker bool
		err    error
		queue  string
		note   string
	}{
		{"no worker", false, nil, "lumaflow", "no worker is polling task queue lumaflow; start one with: lumaflow worker"},
		{"no worker on another queue", false, nil, "studio", "no worker is polling task queue studio; start one with: lumaflow worker --task-queue studio"},
		{"a worker that is busy", true, nil, "lumaflow", "a worker is polling task queue lumaflow but did not answer in time; try again, or read its log; `lumaflow doctor` checks whether it receives new jobs"},
		{"a query that fails", true, serviceerror.NewQueryFailed("unknown query"), "lumaflow", "the query failed in the worker: unknown query"},
		{
			"a worker with other code", true, serviceerror.NewQueryFailed("[TMPRL1100] lookup failed"), "lumaflow",
			"the query failed in the worker: [TMPRL1100] lookup failed; the workers run other code than the job began with: stop them and start the build that it began with",
		},
		{"a query that is rejected", true, serviceerror.NewInvalidArgument("workflow task failed"), "lumaflow", "query job " + jobID + ": workflow task failed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				fake.HasWorker = test.worker
				job := fake.Job(jobID)
				job.TaskQueue = test.queue
				if test.err != nil {
					job.Answer = func() (workflows.Status, error) { return workflows.Status{}, test.err }
				}
				job.History.Complete(job.History.Schedule("Submit", ""), activities.Submitted{TaskID: taskID})
				job.Pending = []*workflowpb.PendingActivityInfo{{
					ActivityType:            &commonpb.ActivityType{Name: "Poll"},
					Attempt:                 3,
					State:                   enumspb.PENDING_ACTIVITY_STATE_SCHEDULED,
					LastFailure:             startertest.FailureOf(startertest.ApplicationError("ProviderUnavailable", "kie.ai answers 503")),
					NextAttemptScheduleTime: timestamppb.New(time.Now().Add(12 * time.Second)),
				}}
				report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
				require.NoError(t, err)
				require.Equal(t, starter.StateRunning, report.State)
				require.Nil(t, report.Status)
				require.Equal(t, test.note, report.Note)
				require.Equal(t, taskID, report.TaskID, "from the history")
				require.Equal(t, []starter.Pending{{
					Activity: "Poll", Attempt: 3, LastFailure: "kie.ai answers 503", NextAttempt: time.Now().Add(12 * time.Second).UTC(),
				}}, report.Pending)
			})
		})
	}
}

func TestStatusOfClosedJob(t *testing.T) {
	result := workflows.ModifyVideoResult{TaskID: taskID, WokenBy: "callback", Videos: []workflows.Video{{Location: "file:///v.mp4", Bytes: 7}}}
	tests := []struct {
		name    string
		state   enumspb.WorkflowExecutionStatus
		end     func(*startertest.History)
		want    starter.State
		result  *workflows.ModifyVideoResult
		failure *starter.Failure
	}{
		{"completed", statusCompleted, func(h *startertest.History) { h.EndCompleted(result) }, starter.StateCompleted, &result, nil},
		{
			"failed", statusFailed, func(h *startertest.History) {
				h.EndFailed(startertest.ApplicationError("GenerationFailed", "job x:\n生成失败"))
			},
			starter.StateFailed, nil, &starter.Failure{Type: "GenerationFailed", Message: "job x: 生成失败"},
		},
		{
			"canceled", statusCanceled, func(h *startertest.History) { h.EndCanceled("job x was cancelled; kie.ai has no cancel") },
			starter.StateCanceled, nil, &starter.Failure{Type: "Canceled", Message: "job x was cancelled; kie.ai has no cancel"},
		},
		{
			"canceled without a message", statusCanceled, func(h *startertest.History) { h.EndCanceled() },
			starter.StateCanceled, nil, &starter.Failure{Type: "Canceled", Message: "it was cancelled"},
		},
		{
			"terminated", statusTerminated, func(h *startertest.History) { h.EndTerminated() },
			starter.StateTerminated, nil, &starter.Failure{Type: "Terminated", Message: "it was terminated in Temporal by ops@host (by mistake)"},
		},
		{
			"timed out", statusTimedOut, func(h *startertest.History) { h.EndTimedOut() },
			starter.StateTimedOut, nil, &starter.Failure{Type: "TimedOut", Message: "it exceeded the timeout that was set at its start"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			test.end(fake.Job(jobID).End(test.state, time.Minute).History)
			report, err := starter.New(fake, starter.Options{}).Status(t.Context(), jobID)
			require.NoError(t, err)
			require.Equal(t, test.want, report.State)
			require.Equal(t, test.result, report.Result)
			require.Equal(t, test.failure, report.Failure)
			require.Empty(t, report.Note, "a closed job needs no worker")
			require.Equal(t, time.Minute, report.ClosedAt.Sub(report.StartedAt))
		})
	}
}

func TestStatusWithoutJob(t *testing.T) {
	fake := startertest.New(t)
	_, err := starter.New(fake, starter.Options{}).Status(t.Context(), "nope")
	require.ErrorIs(t, err, starter.ErrNoJob)
	require.ErrorContains(t, err, "there is no job nope")
	require.ErrorContains(t, err, "lumaflow list")
}

// The names in JSON are stable, because scripts use them.
func TestReportAsJSON(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	encoded, err := json.Marshal(starter.Report{
		WorkflowID: "j", RunID: "r", State: starter.StateTimedOut, TaskID: "t", StartedAt: at, ClosedAt: at,
		Status:  &workflows.Status{Stage: workflows.StageFailed, Since: at},
		Result:  &workflows.ModifyVideoResult{SubmittedAt: at, CompletedAt: at},
		Failure: &starter.Failure{Type: "TimedOut", Message: "m"},
		Pending: []starter.Pending{{Activity: "Poll", Attempt: 2, LastFailure: "f", NextAttempt: at}},
		Note:    "n",
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"workflowId":"j","runId":"r","state":"timed-out","taskId":"t",
		"startedAt":"2026-11-23T12:00:00Z","closedAt":"2026-11-23T12:00:00Z",
		"status":{"stage":"failed","taskId":"","detail":"","since":"2026-11-23T12:00:00Z","submitAttempts":0,"polls":0,"callbacks":0,"videos":null},
		"result":{"taskId":"","wokenBy":"","submittedAt":"2026-11-23T12:00:00Z","completedAt":"2026-11-23T12:00:00Z","videos":null},
		"failure":{"type":"TimedOut","message":"m"},
		"pending":[{"activity":"Poll","attempt":2,"lastFailure":"f","nextAttempt":"2026-11-23T12:00:00Z"}],
		"note":"n"}`, string(encoded))

	encoded, err = json.Marshal(starter.Report{WorkflowID: "j", RunID: "r", State: starter.StateRunning})
	require.NoError(t, err)
	require.JSONEq(t, `{"workflowId":"j","runId":"r","state":"running"}`, string(encoded))
}
