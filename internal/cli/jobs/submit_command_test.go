package jobs_test

import (
	"encoding/json"
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

func TestSubmitCommand(t *testing.T) {
	tests := []struct {
		name     string
		command  jobs.SubmitCommand
		job      func(*startertest.Temporal)
		out      string
		messages string
		err      string
	}{
		{
			name: "started", job: func(*startertest.Temporal) {},
			out:      jobID + "\n",
			messages: "job " + jobID + " is started; see it with: lumaflow status " + jobID + "\n",
		},
		{
			name: "started without a worker", job: func(f *startertest.Temporal) { f.HasWorker = false },
			out: jobID + "\n",
			messages: "job " + jobID + " is started; see it with: lumaflow status " + jobID + "\n" +
				"no worker is polling task queue lumaflow; start one with: lumaflow worker\n",
		},
		{
			name: "of a model without a table", command: jobs.SubmitCommand{ID: "restyled", Model: "acme/restyle"}, job: func(*startertest.Temporal) {},
			out: "restyled\n",
			messages: "job restyled is started; see it with: lumaflow status restyled\n" +
				"model acme/restyle is not in the table of lumaflow models: a worker checks it in kie.ai's catalogue before anything is paid\n",
		},
		{
			name: "under way", job: func(f *startertest.Temporal) { f.Job(jobID) },
			out:      jobID + "\n",
			messages: "job " + jobID + " is under way already, nothing was started; for another, paid take use a new --key or --id\n",
		},
		{
			name: "done", job: func(f *startertest.Temporal) {
				f.Job(jobID).End(statusCompleted, time.Minute).History.EndCompleted(done)
			},
			out:      jobID + "\n",
			messages: "job " + jobID + " is done already, nothing was started; for another, paid take use a new --key or --id\n" + results,
		},
		{
			name: "done, and asked to wait", command: jobs.SubmitCommand{Wait: true},
			job: func(f *startertest.Temporal) {
				f.Job(jobID).End(statusCompleted, time.Minute).History.EndCompleted(done)
			},
			out:      results,
			messages: "job " + jobID + " is done already, nothing was started; for another, paid take use a new --key or --id\n",
		},
		{
			name: "again", job: func(f *startertest.Temporal) {
				f.Job(jobID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError("GenerationFailed", "no"))
			},
			out:      jobID + "\n",
			messages: "job " + jobID + " had ended without its video and is started again; see it with: lumaflow status " + jobID + "\n",
		},
		{
			name: "paid already", job: func(f *startertest.Temporal) {
				f.Job(jobID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError("SubmitUnknown", "lost"))
			},
			err: "job " + jobID + " ended (failed with SubmitUnknown) and may have paid for a task, so it is not submitted again: " +
				"find the task at https://kie.ai/logs and collect it at no cost with `lumaflow submit --task-id TASKID`; for another, paid take use a new --key or --id",
		},
		{
			name: "as JSON", command: jobs.SubmitCommand{JSON: true}, job: func(*startertest.Temporal) {},
			out: `{
  "workflowId": "` + jobID + `",
  "runId": "new-run-1",
  "state": "running",
  "existing": false
}
`,
			messages: "job " + jobID + " is started; see it with: lumaflow status " + jobID + "\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			test.job(fake)
			test.command.Prompt, test.command.Video, test.command.TaskQueue = "snow", video, "lumaflow"
			streams, out, messages := newStreams("")
			err := test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
			require.Equal(t, test.out, out.String())
			require.Equal(t, test.messages, messages.String())
			if test.err != "" {
				require.EqualError(t, err, test.err)
				require.Equal(t, command.ExitFailed, command.ExitCode(err))
				return
			}
			require.NoError(t, err)
		})
	}
}

// The wait for an open job ends with the job or by its timeout.
func TestSubmitCommandThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		job := fake.Job(jobID).Answers(workflows.Status{Stage: workflows.StageWaiting, TaskID: taskID, Detail: "kie.ai works"})
		waiting := jobs.SubmitCommand{Prompt: "snow", Video: video, TaskQueue: "lumaflow", Wait: true, Timeout: 10 * time.Second, JSON: true}
		s := starter.New(fake, starter.Options{})
		streams, out, messages := newStreams("")
		err := waiting.RunOn(t.Context(), s, streams)
		require.EqualError(t, err, "stopped waiting after 10s: job "+jobID+" continues by itself; wait for it again with: lumaflow wait "+jobID)
		var printed map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &printed))
		require.Equal(t, "running", printed["state"])
		require.Equal(t, true, printed["existing"])
		require.Equal(t, taskID, printed["taskId"])
		require.Contains(t, messages.String(), jobID+" waiting after 0s: kie.ai works\n")

		time.AfterFunc(time.Second, func() {
			fake.Do(func() {
				job.History.EndCompleted(done)
				job.End(statusCompleted, time.Minute)
			})
		})
		streams, out, messages = newStreams("")
		waiting.JSON = false
		require.NoError(t, waiting.RunOn(t.Context(), s, streams))
		require.Equal(t, results, out.String())
		require.Equal(t, "job "+jobID+" is under way already, nothing was started; for another, paid take use a new --key or --id\n"+
			jobID+" waiting after 10s: kie.ai works\n"+
			jobID+" completed after 1m0s\n", messages.String())
	})
}
