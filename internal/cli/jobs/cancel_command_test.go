package starter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/starter"
	"lumaflow/workflows"
)

const cancelled = "job " + jobID + " was cancelled; kie.ai has no cancel, so task " + taskID + " goes on and is paid"

func TestCancel(t *testing.T) {
	waiting := workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID}
	tests := []struct {
		name string
		// job prepares the job, requested is what the request makes of it.
		job       func(*run)
		requested func(*run)
		worker    bool
		requests  int
		took      time.Duration
		out       string
		err       string
	}{
		{
			name: "it ends", worker: true, requests: 1, took: 2 * time.Second,
			job: func(r *run) { r.says(waiting) },
			requested: func(r *run) {
				r.history.endsCanceled(cancelled)
				r.end(statusCanceled, time.Minute)
			},
			out: cancelled + "\n",
		},
		{
			name: "it takes its time", worker: true, requests: 1, took: starter.CancelPatience,
			job: func(r *run) { r.says(waiting) },
			out: "job " + jobID + " is being cancelled and ends when the work in hand allows; see: lumaflow status " + jobID + "\n" +
				"kie.ai has no cancel: task " + taskID + " goes on and is paid; collect it later with: lumaflow submit --task-id " + taskID + "\n",
		},
		{
			name: "held jobs have nothing to lose", worker: true, requests: 1, took: starter.CancelPatience,
			job: func(r *run) { r.says(workflows.Status{Stage: workflows.StageHeld}) },
			out: "job " + jobID + " is being cancelled and ends when the work in hand allows; see: lumaflow status " + jobID + "\n" +
				"nothing was submitted, nothing is paid\n",
		},
		{
			name: "no worker is there to hear it", requests: 1,
			job: func(*run) {},
			out: "job " + jobID + " ends as soon as a worker hears that it is cancelled; no worker is polling task queue lumaflow; start one with: lumaflow worker\n" +
				"kie.ai has no cancel: if a task was submitted it goes on and is paid; look at https://kie.ai/logs and collect it with: lumaflow submit --task-id TASKID\n",
		},
		{
			name: "it was cancelled before",
			job: func(r *run) {
				r.history.endsCanceled(cancelled)
				r.end(statusCanceled, time.Minute)
			},
			out: cancelled + "\n",
		},
		{
			name: "it had ended before",
			job: func(r *run) {
				r.history.endsWell(workflows.ModifyVideoResult{})
				r.end(statusCompleted, time.Minute)
			},
			err: "job " + jobID + " has ended before (completed), there is nothing to cancel; see: lumaflow status " + jobID,
		},
		{
			name: "it ends by itself first", worker: true, requests: 1, took: 2 * time.Second,
			job: func(r *run) { r.says(waiting) },
			requested: func(r *run) {
				r.history.endsWell(workflows.ModifyVideoResult{})
				r.end(statusCompleted, time.Minute)
			},
			err: "job " + jobID + " ended by itself (completed) before it could be cancelled; see: lumaflow status " + jobID,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
				fake.worker = test.worker
				job := fake.job(jobID)
				test.job(job)
				if test.requested != nil {
					time.AfterFunc(2*time.Second, func() { fake.do(func() { test.requested(job) }) })
				}
				began := time.Now()
				streams, out, said := newStreams("")
				err := (&starter.CancelCommand{ID: jobID}).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
				require.Equal(t, test.took, time.Since(began))
				require.Len(t, fake.cancels, test.requests)
				require.Empty(t, out.String())
				require.Equal(t, test.out, said.String())
				if test.err != "" {
					require.EqualError(t, err, test.err)
					return
				}
				require.NoError(t, err)
			})
		})
	}
}

func TestCancelOfNoJob(t *testing.T) {
	fake := newTemporal(t)
	_, err := starter.New(fake, starter.Options{}).Cancel(t.Context(), "nope")
	require.ErrorIs(t, err, starter.ErrNoJob)
	fake.down = serviceerror.NewUnavailable("gone")
	_, err = starter.New(fake, starter.Options{}).Cancel(t.Context(), "nope")
	require.ErrorContains(t, err, "Temporal does not answer")
	require.Empty(t, fake.cancels)
}
