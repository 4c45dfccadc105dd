package jobs_test

import (
	"context"
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
			"c held after 0s\n", "stopped waiting after 1m0s: job c continues by itself; wait for it again with: lumaflow wait c",
		},
		{
			"time is up by default", jobs.WaitCommand{IDs: []string{"c"}},
			"JOB  STATE    TIME     TASK\nc    running  72h0m0s  -\n",
			"c held after 0s\n", "stopped waiting after 72h0m0s: job c continues by itself; wait for it again with: lumaflow wait c",
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
		{1, "stopped waiting: job a continues by itself; wait for it again with: lumaflow wait a"},
		{3, "stopped waiting: 3 of 3 jobs continue by themselves; wait for them again with: lumaflow wait a b c"},
		{6, "stopped waiting: 6 of 6 jobs continue by themselves; see them with: lumaflow list --open"},
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
