package jobs_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

const cancelled = "job " + jobID + " was cancelled; kie.ai has no cancel, so task " + taskID + " continues and is paid"

func TestCancel(t *testing.T) {
	waiting := workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID}
	tests := []struct {
		name string
		// job prepares the job, requested changes it two seconds later.
		job       func(*startertest.Run)
		requested func(*startertest.Run)
		worker    bool
		requests  int
		took      time.Duration
		out       string
		err       string
	}{
		{
			name: "it ends", worker: true, requests: 1, took: 2 * time.Second,
			job: func(r *startertest.Run) { r.Answers(waiting) },
			requested: func(r *startertest.Run) {
				r.History.EndCanceled(cancelled)
				r.End(statusCanceled, time.Minute)
			},
			out: cancelled + "\n",
		},
		{
			name: "it does not end in time", worker: true, requests: 1, took: 10 * time.Second,
			job: func(r *startertest.Run) { r.Answers(waiting) },
			out: "job " + jobID + " is being cancelled and ends after its current step; see: lumaflow status " + jobID + "\n" +
				"kie.ai has no cancel: task " + taskID + " continues and is paid; collect it later with: lumaflow submit --task-id " + taskID + "\n",
		},
		{
			name: "it is held", worker: true, requests: 1, took: 10 * time.Second,
			job: func(r *startertest.Run) { r.Answers(workflows.Status{Stage: workflows.StageHeld}) },
			out: "job " + jobID + " is being cancelled and ends after its current step; see: lumaflow status " + jobID + "\n" +
				"nothing was submitted, nothing is paid\n",
		},
		{
			name: "no worker polls", requests: 1,
			job: func(*startertest.Run) {},
			out: "job " + jobID + " ends as soon as a worker handles the cancellation; no worker is polling task queue lumaflow; start one with: lumaflow worker\n" +
				"kie.ai has no cancel: a submitted task continues and is paid; find it at https://kie.ai/logs and collect it with: lumaflow submit --task-id TASKID\n",
		},
		{
			name: "it was cancelled before",
			job: func(r *startertest.Run) {
				r.History.EndCanceled(cancelled)
				r.End(statusCanceled, time.Minute)
			},
			out: cancelled + "\n",
		},
		{
			name: "it had ended before",
			job: func(r *startertest.Run) {
				r.History.EndCompleted(workflows.ModifyVideoResult{})
				r.End(statusCompleted, time.Minute)
			},
			err: "job " + jobID + " has ended before (completed), there is nothing to cancel; see: lumaflow status " + jobID,
		},
		{
			name: "it ends by itself first", worker: true, requests: 1, took: 2 * time.Second,
			job: func(r *startertest.Run) { r.Answers(waiting) },
			requested: func(r *startertest.Run) {
				r.History.EndCompleted(workflows.ModifyVideoResult{})
				r.End(statusCompleted, time.Minute)
			},
			err: "job " + jobID + " ended by itself (completed) before it could be cancelled; see: lumaflow status " + jobID,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				fake.HasWorker = test.worker
				job := fake.Job(jobID)
				test.job(job)
				if test.requested != nil {
					time.AfterFunc(2*time.Second, func() { fake.Do(func() { test.requested(job) }) })
				}
				began := time.Now()
				streams, out, messages := newStreams("")
				err := cancelAs("", "").RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
				require.Equal(t, test.took, time.Since(began))
				require.Len(t, fake.Cancels, test.requests)
				require.Empty(t, out.String())
				require.Equal(t, test.out, messages.String())
				if test.err != "" {
					require.EqualError(t, err, test.err)
					return
				}
				require.NoError(t, err)
			})
		})
	}
}

func cancelAs(person, reason string) *jobs.CancelCommand {
	cancel := &jobs.CancelCommand{ID: jobID, Reason: reason}
	cancel.As = person
	return cancel
}

// The history has the reason and the person, and the status shows them.
func TestCancelReason(t *testing.T) {
	for name, test := range map[string]struct{ person, reason, wantBy, wantReason, shown string }{
		"given":      {"ann", "wrong\x1b clip\n", `^ann$`, "wrong clip", "requested by ann: wrong clip, 1s ago"},
		"defaults":   {"", "", `^.+@.+$`, "", "requested by "},
		"a bad name": {"ann\nboss", "", `^ann boss$`, "", "requested by ann boss, "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				fake.HasWorker = true
				job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting})
				time.AfterFunc(time.Second, func() {
					fake.Do(func() { job.History.EndCanceled(cancelled); job.End(statusCanceled, time.Minute) })
				})
				s := starter.New(fake, starter.Options{Namespace: "studio"})
				streams, out, _ := newStreams("")
				require.NoError(t, cancelAs(test.person, test.reason).RunOn(t.Context(), s, streams))
				require.Len(t, fake.Cancels, 1)
				require.Regexp(t, test.wantBy, fake.Cancels[0].GetIdentity())
				require.Equal(t, test.wantReason, fake.Cancels[0].GetReason())
				require.Equal(t, "studio", fake.Cancels[0].GetNamespace())
				require.Equal(t, job.RunID, fake.Cancels[0].GetWorkflowExecution().GetRunId())
				require.NotEmpty(t, fake.Cancels[0].GetRequestId())

				report, err := s.Status(t.Context(), jobID)
				require.NoError(t, err)
				require.Equal(t, test.wantReason, report.CancelRequest.Reason)
				require.NoError(t, (&jobs.StatusCommand{ID: jobID}).RunOn(t.Context(), s, streams))
				require.Contains(t, out.String(), test.shown)
			})
		})
	}
}

func TestLongReasonsAreUsageErrors(t *testing.T) {
	long := strings.Repeat("x", 501)
	for _, wrong := range []*jobs.CancelCommand{cancelAs("", long), cancelAs(long, ""), {ID: ""}} {
		fake := startertest.New(t)
		streams, _, _ := newStreams("")
		err := wrong.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
		require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
		require.Empty(t, fake.Cancels)
	}
}
