package jobs_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/starter/startertest"
	"lumaflow/workflows"
)

type commandLine struct {
	Submit  jobs.SubmitCommand  `cmd:""`
	Status  jobs.StatusCommand  `cmd:""`
	List    jobs.ListCommand    `cmd:""`
	Wait    jobs.WaitCommand    `cmd:""`
	Cancel  jobs.CancelCommand  `cmd:""`
	Resolve jobs.ResolveCommand `cmd:""`
	Batch   jobs.BatchCommand   `cmd:""`
	Rescue  jobs.RescueCommand  `cmd:""`
}

func parse(t *testing.T, args ...string) (commandLine, error) {
	t.Helper()
	var line commandLine
	parser, err := kong.New(&line, kong.Writers(io.Discard, io.Discard))
	require.NoError(t, err)
	_, err = parser.Parse(args)
	return line, err
}

func TestFlags(t *testing.T) {
	t.Setenv("TASK_QUEUE", "studio")
	line, err := parse(t, "submit", "--prompt", "p", "--video", video, "--task-id", "t", "--recovery-window", "1m",
		"--on-unknown-submit", "fail", "--input", "-", "--wait", "--timeout", "30m", "--json", "--key", "k", "--id", "i")
	require.NoError(t, err)
	require.Equal(t, "t", line.Submit.TaskID)
	require.Equal(t, "-", line.Submit.Input)
	require.Equal(t, 30*time.Minute, line.Submit.Timeout)
	require.Equal(t, "studio", line.Submit.TaskQueue)
	require.True(t, line.Submit.JSON && line.Submit.Wait)

	line, err = parse(t, "submit", "--task-queue", "other")
	require.NoError(t, err)
	require.Equal(t, "other", line.Submit.TaskQueue, "a flag wins over its variable")

	line, err = parse(t, "wait", "a", "b", "--timeout", "1h", "--log-level", "debug", "--log-format", "json")
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, line.Wait.IDs)
	require.Equal(t, "DEBUG", line.Wait.LogLevel.String())

	line, err = parse(t, "resolve", "a", "--write-off")
	require.NoError(t, err)
	require.True(t, line.Resolve.WriteOff)
	require.Equal(t, "WARN", line.Resolve.LogLevel.String(), "the SDK's messages below warnings are not for users")

	line, err = parse(t, "list", "--failed")
	require.NoError(t, err)
	require.Equal(t, 50, line.List.Limit)

	for _, wrong := range [][]string{{"list", "--open", "--failed"}, {"list", "--open", "--at-risk"}, {"batch"}, {"batch", "a", "b"}, {"wait"}, {"status"}, {"status", "a", "b"}, {"wait", "a", "--timeout", "soon"}} {
		_, err = parse(t, wrong...)
		require.Error(t, err, "%v", wrong)
	}
}

// Invalid arguments are rejected before the command dials.
func TestInvalidArguments(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	type runner interface {
		Run(context.Context, command.Streams) error
	}
	for name, wrong := range map[string]runner{
		"status of no id":              &jobs.StatusCommand{},
		"cancel of no id":              &jobs.CancelCommand{},
		"wait for no id":               &jobs.WaitCommand{IDs: []string{"a", ""}},
		"wait with a negative timeout": &jobs.WaitCommand{IDs: []string{"a"}, Timeout: -time.Hour},
		"resolve without a decision":   &jobs.ResolveCommand{ID: "a"},
		"list without a limit":         &jobs.ListCommand{},
		"list beyond the limit":        &jobs.ListCommand{Limit: 10_001},
		"list of an unknown stage":     &jobs.ListCommand{Limit: 1, Stage: "stuck"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, out, _ := newStreams("")
			err := wrong.Run(t.Context(), streams)
			require.Equal(t, command.ExitUsage, command.ExitCode(err), "%v", err)
			require.Empty(t, out.String())
		})
	}
}

func TestHelpShowsExamples(t *testing.T) {
	for name, help := range map[string]string{
		"submit":  jobs.SubmitCommand{}.Help(),
		"status":  jobs.StatusCommand{}.Help(),
		"list":    jobs.ListCommand{}.Help(),
		"wait":    jobs.WaitCommand{}.Help(),
		"cancel":  jobs.CancelCommand{}.Help(),
		"resolve": jobs.ResolveCommand{}.Help(),
		"batch":   jobs.BatchCommand{}.Help(),
		"rescue":  jobs.RescueCommand{}.Help(),
	} {
		require.Contains(t, help, "lumaflow "+name+" ")
	}
}

var done = workflows.ModifyVideoResult{
	TaskID: taskID,
	Videos: []workflows.Video{
		{Location: "file:///videos/luma_result_1.mp4", Bytes: 12_345_678, Duration: "9.96s", Width: 1280, Height: 720},
		{Location: "file:///videos/luma_result_2.mp4", Bytes: 500_000, Duration: "9.96s", Width: 1280, Height: 720},
	},
}

const results = `JOB                                    STATE      TIME  TASK
luma-22e745999ea50e3e29c2388ba4b27a79  completed  1m0s  0123456789abcdef0123456789abcdef
  file:///videos/luma_result_1.mp4
  file:///videos/luma_result_2.mp4
`

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
		require.EqualError(t, err, "stopped waiting after 10s: job "+jobID+" goes on by itself; wait for it again with: lumaflow wait "+jobID)
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

func TestStatusCommand(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(jobID).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError("GenerationFailed", "job x: no"))
	s := starter.New(fake, starter.Options{})
	streams, out, _ := newStreams("")
	require.NoError(t, (&jobs.StatusCommand{ID: jobID}).RunOn(t.Context(), s, streams), "a job that failed is no failure of the command")
	require.Contains(t, out.String(), "failure  GenerationFailed: job x: no\n")

	streams, out, _ = newStreams("")
	require.NoError(t, (&jobs.StatusCommand{ID: jobID, JSON: true}).RunOn(t.Context(), s, streams))
	var report starter.Report
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Equal(t, "GenerationFailed", report.Failure.Type)

	streams, _, _ = newStreams("")
	err := (&jobs.StatusCommand{ID: "nope"}).RunOn(t.Context(), s, streams)
	require.ErrorIs(t, err, starter.ErrNoJob)
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
}

func TestWaitCommand(t *testing.T) {
	const failed = "job b, task t: kie.ai could not make the video. Next: submit again"
	addJobs := func(fake *startertest.Temporal) {
		fake.Job("a").End(statusCompleted, time.Minute).History.EndCompleted(done)
		fake.Job("b").End(statusFailed, 90*time.Second).History.EndFailed(startertest.ApplicationError("GenerationFailed", failed))
		fake.Job("c").Answers(workflows.Status{Stage: workflows.StageHeld})
	}
	tests := []struct {
		name     string
		command  jobs.WaitCommand
		out      string
		messages string
		err      string
	}{
		{
			"all completed", jobs.WaitCommand{IDs: []string{"a", "a"}},
			"JOB  STATE      TIME  TASK\n" +
				"a    completed  1m0s  0123456789abcdef0123456789abcdef\n" +
				"  file:///videos/luma_result_1.mp4\n" +
				"  file:///videos/luma_result_2.mp4\n",
			"a completed after 1m0s\n", "",
		},
		{
			"one failed", jobs.WaitCommand{IDs: []string{"b"}},
			"JOB  STATE   TIME   TASK\nb    failed  1m30s  -\n",
			"b failed after 1m30s\n", failed,
		},
		{
			"time is up", jobs.WaitCommand{IDs: []string{"c"}, Timeout: time.Minute},
			"JOB  STATE    TIME  TASK\nc    running  1m0s  -\n",
			"c held after 0s\n", "stopped waiting after 1m0s: job c goes on by itself; wait for it again with: lumaflow wait c",
		},
		{
			"time is up by default", jobs.WaitCommand{IDs: []string{"c"}},
			"JOB  STATE    TIME     TASK\nc    running  72h0m0s  -\n",
			"c held after 0s\n", "stopped waiting after 72h0m0s: job c goes on by itself; wait for it again with: lumaflow wait c",
		},
		{
			"as JSON", jobs.WaitCommand{IDs: []string{"b"}, JSON: true},
			`[
  {
    "workflowId": "b",
    "runId": "run-of-b",
    "state": "failed",
    "startedAt": "2000-01-01T00:00:00Z",
    "closedAt": "2000-01-01T00:01:30Z",
    "failure": {
      "type": "GenerationFailed",
      "message": "` + failed + `"
    }
  }
]
`,
			"b failed after 1m30s\n", failed,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				addJobs(fake)
				streams, out, messages := newStreams("")
				err := test.command.RunOn(t.Context(), starter.New(fake, starter.Options{Interval: time.Minute}), streams)
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

func TestWaitCommandForJobsOfWhichSomeFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Job("a").End(statusCompleted, time.Minute).History.EndCompleted(done)
		fake.Job("b").End(statusTerminated, time.Minute).History.EndTerminated()
		streams, out, messages := newStreams("")
		err := (&jobs.WaitCommand{IDs: []string{"b", "a"}}).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
		require.EqualError(t, err, "1 of 2 jobs ended without their video")
		require.Contains(t, messages.String(), "\njob b: it was terminated in Temporal by ops@host (by mistake)\n")
		require.Contains(t, out.String(), "b    terminated  1m0s  -")
	})
}

func TestWaitCommandThatIsInterrupted(t *testing.T) {
	tests := []struct {
		jobs int
		err  string
	}{
		{1, "stopped waiting: job a goes on by itself; wait for it again with: lumaflow wait a"},
		{3, "stopped waiting: 3 of 3 jobs go on by themselves; wait for them again with: lumaflow wait a b c"},
		{6, "stopped waiting: 6 of 6 jobs go on by themselves; see them with: lumaflow list --open"},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			var ids []string
			for i := range test.jobs {
				id := string(rune('a' + i))
				fake.Job(id)
				ids = append(ids, id)
			}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, cancel)
			streams, _, _ := newStreams("")
			err := (&jobs.WaitCommand{IDs: ids}).RunOn(ctx, starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, test.err)
			require.Equal(t, command.ExitFailed, command.ExitCode(err))
		})
	}
}

func TestListCommand(t *testing.T) {
	const none = "no jobs; start one with: lumaflow submit --prompt TEXT --video URL\n"
	tests := []struct {
		name     string
		command  jobs.ListCommand
		jobs     int
		out      string
		messages string
	}{
		{"none", jobs.ListCommand{Limit: 50}, 0, "", none},
		{"none selected", jobs.ListCommand{Limit: 50, Failed: true}, 0, "", "no such jobs; all jobs: lumaflow list\n"},
		{"none as JSON", jobs.ListCommand{Limit: 50, JSON: true}, 0, "[]\n", ""},
		{
			"jobs", jobs.ListCommand{Limit: 50}, 2,
			"JOB    STATE      STAGE  TASK  AGE\njob-0  completed  done   -     0s\njob-1  completed  done   -     0s\n", "",
		},
		{
			"more", jobs.ListCommand{Limit: 1}, 2,
			"JOB    STATE      STAGE  TASK  AGE\njob-0  completed  done   -     0s\n",
			"only the newest 1 are shown; see more with --limit\n",
		},
		{
			"as JSON", jobs.ListCommand{Limit: 50, JSON: true}, 1,
			`[
  {
    "workflowId": "job-0",
    "runId": "run-of-job-0",
    "state": "completed",
    "stage": "done",
    "startedAt": "2000-01-01T00:00:00Z",
    "closedAt": "2000-01-01T00:01:00Z"
  }
]
`, "",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				for i := range test.jobs {
					fake.Job("job-"+string(rune('0'+i))).End(statusCompleted, time.Minute)
				}
				streams, out, messages := newStreams("")
				require.NoError(t, test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
				require.Equal(t, test.out, out.String())
				require.Equal(t, test.messages, messages.String())
			})
		})
	}
}
