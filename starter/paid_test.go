package starter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// A job that ended without its video is submitted again only if it can't pay
// twice.
func TestSubmitAgainAfterAFailure(t *testing.T) {
	accepted := activities.Submitted{TaskID: taskID, SubmittedAt: time.Now(), Attempts: 1}
	evidence := func(phase activities.Phase, id string) activities.Evidence {
		return activities.Evidence{Phase: phase, TaskID: id, Attempts: 1}
	}
	sending := evidence(activities.PhaseSending, "")
	tests := []struct {
		name  string
		state enumspb.WorkflowExecutionStatus
		life  func(*startertest.History)
		// again means that the job may start again; if not, task is the one in the
		// error.
		again bool
		task  string
	}{
		{"failed: kie.ai refused it", statusFailed, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("SubmitRefused", "no", evidence(activities.PhaseRefused, "")))
			h.EndFailed(startertest.ApplicationError("SubmitRefused", "refused"))
		}, true, ""},
		{"cancelled: the upload had expired", statusCanceled, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("VideoExpired", "late", evidence(activities.PhaseRefused, "")))
			h.EndCanceled()
		}, true, ""},
		{"failed: the generation failed", statusFailed, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), accepted)
			h.Schedule("Poll", activities.PollInput{TaskID: taskID})
			h.EndFailed(startertest.ApplicationError("GenerationFailed", "no"))
		}, true, ""},
		{"failed: the request was invalid", statusFailed, func(h *startertest.History) {
			h.EndFailed(startertest.ApplicationError("InvalidRequest", "no"))
		}, true, ""},
		{"failed: submit unknown", statusFailed, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("SubmitUnknown", "lost", sending))
			h.EndFailed(startertest.ApplicationError("SubmitUnknown", "lost"))
		}, false, ""},
		{"failed: overdue", statusFailed, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), accepted)
			h.EndFailed(startertest.ApplicationError("ResultOverdue", "late"))
		}, false, taskID},
		{"failed: overdue and adopted by callback", statusFailed, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("SubmitUnknown", "lost", sending))
			h.Schedule("Poll", activities.PollInput{TaskID: taskID})
			h.EndFailed(startertest.ApplicationError("ResultOverdue", "late"))
		}, false, taskID},
		{"failed: the download was rejected", statusFailed, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), accepted)
			h.EndFailed(startertest.ApplicationError("DownloadRejected", "html"))
		}, false, taskID},
		{"failed: overdue, without a task in the history", statusFailed, func(h *startertest.History) {
			h.EndFailed(startertest.ApplicationError("ResultOverdue", "late"))
		}, false, ""},
		{"failed: rejected, without a task in the history", statusFailed, func(h *startertest.History) {
			h.EndFailed(startertest.ApplicationError("DownloadRejected", "html"))
		}, false, ""},
		{"failed: other error before the submission", statusFailed, func(h *startertest.History) {
			h.EndFailed(startertest.ApplicationError("Panic", "bug"))
		}, true, ""},
		{"failed: other error after the submission", statusFailed, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), accepted)
			h.EndFailed(errors.New("broken"))
		}, false, taskID},

		{"canceled before it submitted", statusCanceled, func(h *startertest.History) {
			h.EndCanceled("nothing was submitted")
		}, true, ""},
		{"canceled while it was held", statusCanceled, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("Held", "no credits", activities.Hold{Code: 402}))
			h.Cancel(h.Schedule("Submit", ""))
			h.EndCanceled()
		}, true, ""},
		{"canceled while the submission was under way", statusCanceled, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), accepted)
			h.EndCanceled()
		}, false, taskID},
		{"canceled in submit-unknown", statusCanceled, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("SubmitUnknown", "lost", sending))
			h.EndCanceled()
		}, false, ""},

		{"terminated before it submitted", statusTerminated, func(h *startertest.History) { h.EndTerminated() }, true, ""},
		{"terminated while a submission was scheduled", statusTerminated, func(h *startertest.History) {
			h.Schedule("Submit", "")
			h.EndTerminated()
		}, false, ""},
		{"terminated after a submission that was never sent", statusTerminated, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("NotSent", "no route"))
			h.EndTerminated()
		}, true, ""},
		{"terminated while it waited", statusTerminated, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), accepted)
			h.Schedule("Poll", activities.PollInput{TaskID: taskID})
			h.EndTerminated()
		}, false, taskID},
		{"terminated after a result that can't be read", statusTerminated, func(h *startertest.History) {
			h.Complete(h.Schedule("Submit", ""), "unreadable")
			h.EndTerminated()
		}, false, ""},
		{"terminated after an unknown failure of a submission", statusTerminated, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("PanicError", "bug"))
			h.EndTerminated()
		}, false, ""},

		{"timed out, the worker died before it sent", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), nil)
			h.EndTimedOut()
		}, true, ""},
		{"timed out, the worker died before it sent, after an attempt that panicked", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), startertest.ApplicationError("PanicError", "bug"))
			h.EndTimedOut()
		}, true, ""},
		{"timed out, the worker died after a refusal", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), nil, evidence(activities.PhaseRefused, ""))
			h.EndTimedOut()
		}, true, ""},
		{"timed out, the worker died while it sent", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), nil, sending)
			h.EndTimedOut()
		}, false, ""},
		{"timed out, the worker died while it sent, after an attempt that was held", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), startertest.ApplicationError("Held", "429"), sending)
			h.EndTimedOut()
		}, false, ""},
		{"timed out, the worker died with the task id", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), nil, evidence(activities.PhaseAccepted, taskID))
			h.EndTimedOut()
		}, false, taskID},
		{"timed out, the evidence can't be read", statusTimedOut, func(h *startertest.History) {
			h.TimeOut(h.Schedule("Submit", ""), nil, "unreadable")
			h.EndTimedOut()
		}, false, ""},
		{"timed out, the first submission was lost and the second refused", statusTimedOut, func(h *startertest.History) {
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("SubmitUnknown", "lost", sending))
			h.Fail(h.Schedule("Submit", ""), startertest.ApplicationError("SubmitRefused", "no", evidence(activities.PhaseRefused, "")))
			h.EndTimedOut()
		}, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			last := fake.Job(jobID).End(test.state, time.Minute)
			test.life(last.History)
			job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
			if test.again {
				require.NoError(t, err)
				require.True(t, job.Again)
				require.False(t, job.Existing)
				require.Len(t, fake.Starts, 1)
				require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, fake.Starts[0].WorkflowIDReusePolicy)
				return
			}
			require.Empty(t, fake.Starts)
			var paid *starter.PaidError
			require.ErrorAs(t, err, &paid)
			require.Equal(t, test.task, paid.TaskID)
			require.ErrorContains(t, err, jobID)
			require.ErrorContains(t, err, "--key")
			named := "TASKID"
			if test.task != "" {
				named = test.task
			}
			require.ErrorContains(t, err, "lumaflow submit --task-id "+named)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

// Adopting a task costs nothing, so it may be repeated.
func TestAdoptAgainAfterAFailure(t *testing.T) {
	input := workflows.ModifyVideoInput{TaskID: taskID}
	fake := startertest.New(t)
	last := fake.Job(starter.JobID(input, "")).End(statusFailed, time.Minute)
	last.History.EndFailed(startertest.ApplicationError("ResultOverdue", "late"))
	job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), input, "")
	require.NoError(t, err)
	require.True(t, job.Again)
}

// An unreadable history proves nothing.
func TestSubmitAgainWithoutHistory(t *testing.T) {
	fake := startertest.New(t)
	last := fake.Job(jobID).End(statusTerminated, time.Minute)
	last.History.EndTerminated()
	cut := &cutOff{Temporal: fake}
	_, err := starter.New(cut, starter.Options{}).Submit(t.Context(), request, "")
	require.ErrorIs(t, err, errCut)
	require.Empty(t, fake.Starts)
}
