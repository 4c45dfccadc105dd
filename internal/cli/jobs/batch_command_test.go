package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/cli/terminal"
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

// batchFile writes a batch file and returns its path.
func batchFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shots.jsonl")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
	return path
}

func TestBatchCommand(t *testing.T) {
	const snow, rain = `{"prompt":"snow","videoUrl":"https://example.org/in.mp4"}`, `{"prompt":"rain","videoUrl":"https://example.org/in.mp4","name":"reel"}`
	rainID := starter.JobID(workflows.ModifyVideoInput{Prompt: "rain", VideoURL: video}, "")
	file := batchFile(t, snow, "", rain, snow)
	batch := func(change func(*jobs.BatchCommand)) *jobs.BatchCommand {
		c := &jobs.BatchCommand{File: file, AtOnce: 200}
		c.TaskQueue = "lumaflow"
		if change != nil {
			change(c)
		}
		return c
	}
	const begin = "2 jobs, at most 200 open at the same time\n" +
		"lines that repeat others are the same jobs: 1 left out; for another, paid take give a line a key\n" +
		"0 of 2 done, 2 started\n"

	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.CompleteAfter(time.Second)
		streams, out, messages := newStreams("")
		require.NoError(t, batch(nil).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
		require.Equal(t, "LINE  JOB                                    STATE      TIME  TASK\n"+
			"1     "+jobID+"  completed  1s    "+terminal.Shorten("task-of-"+jobID, 38)+"\n"+
			"3     "+rainID+"  completed  1s    "+terminal.Shorten("task-of-"+rainID, 38)+"\n", out.String())
		require.Equal(t, begin+"2 of 2 done\n", messages.String())
		require.Len(t, fake.Starts, 2)

		streams, out, _ = newStreams("")
		again := batch(func(c *jobs.BatchCommand) { c.JSON = true })
		require.NoError(t, again.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
		require.Len(t, fake.Starts, 2, "the same file twice is the same jobs")
		var outcomes []starter.Outcome
		require.NoError(t, json.Unmarshal(out.Bytes(), &outcomes))
		require.Len(t, outcomes, 2)
		require.True(t, outcomes[0].Existing && outcomes[1].Existing)
		require.Equal(t, 3, outcomes[1].Line)
	})

	t.Run("with an earlier failure", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			fake.CompleteAfter(time.Second)
			fake.Job(rainID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError(workflows.GenerationFailed, "job "+rainID+", task t: moderated"))
			streams, _, messages := newStreams("")
			err := batch(nil).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, "1 of 2 jobs ended without their video; kie.ai made no video for 1 of them: the same command with --retry-failed restarts those, each as a new, paid task")
			require.Contains(t, messages.String(), "\nline 3: job "+rainID+", task t: moderated\n")
			require.Len(t, fake.Starts, 1)
		})
	})

	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			fake.CompleteAfter(time.Hour)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, cancel)
			streams, out, _ := newStreams("")
			one := batch(func(c *jobs.BatchCommand) { c.AtOnce = 1 })
			err := one.RunOn(ctx, starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, "stopped watching; of 2 jobs, continuing by themselves: 1, not started: 1; the same command resumes the batch, `lumaflow list --open` shows the open jobs")
			require.Equal(t, command.ExitFailed, command.ExitCode(err))
			require.Equal(t, "LINE  JOB                                   STATE        TIME  TASK\n"+
				"1     "+terminal.Shorten(jobID, 36)+"  running      1m0s  "+terminal.Shorten("task-of-"+jobID, 37)+"\n"+
				"3     "+terminal.Shorten(rainID, 36)+"  not-started  -     -\n", out.String())
		})
	})

	t.Run("timed out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			fake.CompleteAfter(time.Hour)
			streams, _, _ := newStreams("")
			short := batch(func(c *jobs.BatchCommand) { c.Timeout = time.Minute })
			err := short.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, "stopped watching after 1m0s; of 2 jobs, continuing by themselves: 2; the same command resumes the batch, `lumaflow list --open` shows the open jobs")
		})
	})

	t.Run("with many failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			fake.OnStart = func(id string, _ workflows.ModifyVideoInput) {
				fake.Job(id).End(statusFailed, time.Second).History.EndFailed(startertest.ApplicationError(workflows.SubmitRefused, "job "+id+": no"))
			}
			var lines []string
			for i := range 30 {
				lines = append(lines, fmt.Sprintf(`{"prompt":"shot %d","videoUrl":"https://example.org/in.mp4"}`, i+1))
			}
			streams, _, messages := newStreams(strings.Join(lines, "\n"))
			err := batch(func(c *jobs.BatchCommand) { c.File = "-" }).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, "30 of 30 jobs ended without their video")
			require.Equal(t, 20, strings.Count(messages.String(), ": no\n"))
			require.Contains(t, messages.String(), "\nand 10 more\n")
		})
	})
}

// Invalid arguments are rejected before the command dials.
func TestInvalidBatchArguments(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	file := batchFile(t, `{"prompt":"snow","videoUrl":"https://example.org/in.mp4"}`)
	tests := []struct {
		name  string
		args  []string
		names string
	}{
		{"no task", []string{"rescue"}, "--ids"},
		{"no task id", []string{"rescue", "two words"}, "two words"},
		{"an empty id", []string{"rescue", ""}, "empty"},
		{"none at once", []string{"rescue", "t", "--at-once", "0"}, "--at-once"},
		{"a negative timeout", []string{"rescue", "t", "--timeout=-1h"}, "--timeout"},
		{"no queue", []string{"rescue", "t", "--task-queue", ""}, "TASK_QUEUE"},
		{"too many at once", []string{"batch", file, "--at-once", "10001"}, "--at-once"},
		{"no file", []string{"batch", filepath.Join(t.TempDir(), "none")}, "no such file"},
		{"a folder", []string{"batch", t.TempDir()}, "is a directory"},
		{"a stage and all stages", []string{"list", "--at-risk", "--stage", "held"}, "--at-risk"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line, err := parse(t, test.args...)
			require.NoError(t, err)
			streams, out, _ := newStreams("")
			switch test.args[0] {
			case "rescue":
				err = line.Rescue.Run(t.Context(), streams)
			case "batch":
				err = line.Batch.Run(t.Context(), streams)
			default:
				err = line.List.Run(t.Context(), streams)
			}
			require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
			require.ErrorContains(t, err, test.names)
			require.NotContains(t, err.Error(), "\n")
			require.Empty(t, out.String())
		})
	}
}
