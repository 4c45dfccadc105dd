package starter_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
)

const (
	statusFailed     = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	statusCanceled   = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	statusTerminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	statusTimedOut   = enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
	statusCompleted  = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// A job that ended without its video is submitted again only if nothing that
// was paid, or may have been, would be paid twice.
func TestSubmitAgainAfterAFailure(t *testing.T) {
	accepted := activities.Submitted{TaskID: taskID, SubmittedAt: time.Now(), Attempts: 1}
	evidence := func(phase activities.Phase, id string) activities.Evidence {
		return activities.Evidence{Phase: phase, TaskID: id, Attempts: 1}
	}
	sending := evidence(activities.PhaseSending, "")
	tests := []struct {
		name  string
		state enumspb.WorkflowExecutionStatus
		life  func(*history)
		// again is whether the job may start again; if not, task is what the
		// refusal names.
		again bool
		task  string
	}{
		{"failed: kie.ai refused it", statusFailed, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("SubmitRefused", "no", evidence(activities.PhaseRefused, "")))
			h.endsFailed(application("SubmitRefused", "refused"))
		}, true, ""},
		{"cancelled: the upload had expired", statusCanceled, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("VideoExpired", "late", evidence(activities.PhaseRefused, "")))
			h.endsCanceled()
		}, true, ""},
		{"failed: the generation failed", statusFailed, func(h *history) {
			h.completes(h.schedules("Submit", ""), accepted)
			h.schedules("Poll", activities.PollInput{TaskID: taskID})
			h.endsFailed(application("GenerationFailed", "no"))
		}, true, ""},
		{"failed: the request was invalid", statusFailed, func(h *history) {
			h.endsFailed(application("InvalidRequest", "no"))
		}, true, ""},
		{"failed: nobody knows", statusFailed, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("SubmitUnknown", "lost", sending))
			h.endsFailed(application("SubmitUnknown", "lost"))
		}, false, ""},
		{"failed: overdue", statusFailed, func(h *history) {
			h.completes(h.schedules("Submit", ""), accepted)
			h.endsFailed(application("ResultOverdue", "late"))
		}, false, taskID},
		{"failed: overdue and adopted by callback", statusFailed, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("SubmitUnknown", "lost", sending))
			h.schedules("Poll", activities.PollInput{TaskID: taskID})
			h.endsFailed(application("ResultOverdue", "late"))
		}, false, taskID},
		{"failed: the download was rejected", statusFailed, func(h *history) {
			h.completes(h.schedules("Submit", ""), accepted)
			h.endsFailed(application("DownloadRejected", "html"))
		}, false, taskID},
		{"failed: overdue, and the history does not say of what", statusFailed, func(h *history) {
			h.endsFailed(application("ResultOverdue", "late"))
		}, false, ""},
		{"failed: rejected, and the history does not say what", statusFailed, func(h *history) {
			h.endsFailed(application("DownloadRejected", "html"))
		}, false, ""},
		{"failed: for no reason of ours, before it submitted", statusFailed, func(h *history) {
			h.endsFailed(application("Panic", "bug"))
		}, true, ""},
		{"failed: for no reason of ours, after it submitted", statusFailed, func(h *history) {
			h.completes(h.schedules("Submit", ""), accepted)
			h.endsFailed(errors.New("broken"))
		}, false, taskID},

		{"canceled before it submitted", statusCanceled, func(h *history) {
			h.endsCanceled("nothing was submitted")
		}, true, ""},
		{"canceled while it was held", statusCanceled, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("Held", "no credits", activities.Hold{Code: 402}))
			h.cancels(h.schedules("Submit", ""))
			h.endsCanceled()
		}, true, ""},
		{"canceled while the submission was under way", statusCanceled, func(h *history) {
			h.completes(h.schedules("Submit", ""), accepted)
			h.endsCanceled()
		}, false, taskID},
		{"canceled in submit-unknown", statusCanceled, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("SubmitUnknown", "lost", sending))
			h.endsCanceled()
		}, false, ""},

		{"terminated before it submitted", statusTerminated, func(h *history) { h.endsTerminated() }, true, ""},
		{"terminated while a submission was scheduled", statusTerminated, func(h *history) {
			h.schedules("Submit", "")
			h.endsTerminated()
		}, false, ""},
		{"terminated after a submission that was never sent", statusTerminated, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("NotSent", "no route"))
			h.endsTerminated()
		}, true, ""},
		{"terminated while it waited", statusTerminated, func(h *history) {
			h.completes(h.schedules("Submit", ""), accepted)
			h.schedules("Poll", activities.PollInput{TaskID: taskID})
			h.endsTerminated()
		}, false, taskID},
		{"terminated after a result that can't be read", statusTerminated, func(h *history) {
			h.completes(h.schedules("Submit", ""), "what is this")
			h.endsTerminated()
		}, false, ""},
		{"terminated after an unfamiliar failure of a submission", statusTerminated, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("PanicError", "bug"))
			h.endsTerminated()
		}, false, ""},

		{"timed out, the worker died before it sent", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), nil)
			h.endsTimedOut()
		}, true, ""},
		{"timed out, the worker died before it sent, after an attempt that panicked", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), application("PanicError", "bug"))
			h.endsTimedOut()
		}, true, ""},
		{"timed out, the worker died after a refusal", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), nil, evidence(activities.PhaseRefused, ""))
			h.endsTimedOut()
		}, true, ""},
		{"timed out, the worker died while it sent", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), nil, sending)
			h.endsTimedOut()
		}, false, ""},
		{"timed out, the worker died while it sent, after an attempt that was held", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), application("Held", "429"), sending)
			h.endsTimedOut()
		}, false, ""},
		{"timed out, the worker died with the task id", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), nil, evidence(activities.PhaseAccepted, taskID))
			h.endsTimedOut()
		}, false, taskID},
		{"timed out, the evidence can't be read", statusTimedOut, func(h *history) {
			h.timesOut(h.schedules("Submit", ""), nil, "what is this")
			h.endsTimedOut()
		}, false, ""},
		{"timed out, the first submission was lost and the second refused", statusTimedOut, func(h *history) {
			h.fails(h.schedules("Submit", ""), application("SubmitUnknown", "lost", sending))
			h.fails(h.schedules("Submit", ""), application("SubmitRefused", "no", evidence(activities.PhaseRefused, "")))
			h.endsTimedOut()
		}, false, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := newTemporal(t)
			last := fake.job(jobID).end(test.state, time.Minute)
			test.life(last.history)
			job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), request, "")
			if test.again {
				require.NoError(t, err)
				require.True(t, job.Again)
				require.False(t, job.Existing)
				require.Len(t, fake.starts, 1)
				require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, fake.starts[0].WorkflowIDReusePolicy)
				return
			}
			require.Empty(t, fake.starts)
			var unsettled *starter.UnsettledError
			require.ErrorAs(t, err, &unsettled)
			require.Equal(t, test.task, unsettled.TaskID)
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

// To adopt a task costs nothing, so it may be tried as often as one likes.
func TestAdoptAgainAfterAFailure(t *testing.T) {
	input := workflows.ModifyVideoInput{TaskID: taskID}
	fake := newTemporal(t)
	last := fake.job(starter.JobID(input, "")).end(statusFailed, time.Minute)
	last.history.endsFailed(application("ResultOverdue", "late"))
	job, err := starter.New(fake, starter.Options{}).Submit(t.Context(), input, "")
	require.NoError(t, err)
	require.True(t, job.Again)
}

// A history that can't be read proves nothing.
func TestSubmitAgainWhenTheHistoryIsOutOfReach(t *testing.T) {
	fake := newTemporal(t)
	last := fake.job(jobID).end(statusTerminated, time.Minute)
	last.history.endsTerminated()
	cut := &cutOff{temporal: fake}
	_, err := starter.New(cut, starter.Options{}).Submit(t.Context(), request, "")
	require.ErrorIs(t, err, errCut)
	require.Empty(t, fake.starts)
}

var errCut = serviceerror.NewInternal("shard lost")
