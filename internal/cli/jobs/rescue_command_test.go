package jobs_test

import (
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

// adopting is the id of the job that collects a task.
func adopting(task string) string { return starter.JobID(workflows.ModifyVideoInput{TaskID: task}, "") }

func TestRescueCommand(t *testing.T) {
	t1, t2, t3 := adopting("t1"), adopting("t2"), adopting("t3")
	const free = "; the same task ids can be given again, at no cost"
	collected := func(f *startertest.Temporal, task string) {
		f.Job(adopting(task)).End(statusCompleted, time.Minute).History.EndCompleted(workflows.ModifyVideoResult{
			TaskID: task, Videos: []workflows.Video{{Location: "file:///videos/" + task + ".mp4"}},
		})
	}
	tests := []struct {
		name     string
		command  jobs.RescueCommand
		json     bool
		stdin    string
		jobs     func(*startertest.Temporal)
		out      string
		messages string
		err      string
	}{
		{
			name: "collected before", command: jobs.RescueCommand{TaskIDs: []string{"t1"}, IDs: "-"},
			stdin: "# two more\nt2\n\nt1 # named above\n",
			jobs:  func(f *startertest.Temporal) { collected(f, "t1"); collected(f, "t2") },
			out: "JOB                                    STATE      TIME  TASK\n" +
				t1 + "  completed  1m0s  t1\n  file:///videos/t1.mp4\n" +
				t2 + "  completed  1m0s  t2\n  file:///videos/t2.mp4\n",
			messages: "2 tasks to collect; nothing is submitted, nothing is paid\n" +
				"task ids that are named more than once count once: 1 left out\n" +
				"2 of 2 done\n",
		},
		{
			name: "one fails", command: jobs.RescueCommand{TaskIDs: []string{"t1", "t3"}},
			jobs: func(f *startertest.Temporal) {
				collected(f, "t1")
				f.OnStart = func(id string, _ workflows.ModifyVideoInput) {
					f.Job(id).End(statusFailed, time.Second).History.EndFailed(startertest.ApplicationError(workflows.InvalidRequest, "job "+id+", task t3: kie.ai has no record of task t3"))
				}
			},
			out: "JOB                                    STATE      TIME  TASK\n" +
				t1 + "  completed  1m0s  t1\n  file:///videos/t1.mp4\n" +
				t3 + "  failed     1s    t3\n",
			messages: "2 tasks to collect; nothing is submitted, nothing is paid\n" +
				"1 of 2 done, 1 started\n1 of 2 done, 1 failed\n" +
				"job " + t3 + ", task t3: kie.ai has no record of task t3\n",
			err: "1 of 2 jobs ended without their video" + free,
		},
		{
			name: "as JSON", command: jobs.RescueCommand{TaskIDs: []string{"t1"}}, json: true,
			jobs: func(f *startertest.Temporal) { collected(f, "t1") },
			out: `[
  {
    "workflowId": "` + t1 + `",
    "runId": "run-of-` + t1 + `",
    "state": "completed",
    "taskId": "t1",
    "startedAt": "2000-01-01T00:00:00Z",
    "closedAt": "2000-01-01T00:01:00Z",
    "result": {
      "taskId": "t1",
      "wokenBy": "",
      "submittedAt": "0001-01-01T00:00:00Z",
      "completedAt": "0001-01-01T00:00:00Z",
      "videos": [
        {
          "location": "file:///videos/t1.mp4",
          "sourceUrl": "",
          "bytes": 0,
          "sha256": "",
          "duration": "",
          "width": 0,
          "height": 0
        }
      ]
    },
    "existing": true
  }
]
`,
			messages: "1 task to collect; nothing is submitted, nothing is paid\n1 of 1 done\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				test.jobs(fake)
				streams, out, messages := newStreams(test.stdin)
				test.command.AtOnce, test.command.TaskQueue, test.command.JSON = 50, "lumaflow", test.json
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
		})
	}
}
