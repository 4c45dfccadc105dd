package jobs_test

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/test/startertest"
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

// runLine parses and runs a command line, as main does.
func runLine(t *testing.T, streams command.Streams, args ...string) error {
	t.Helper()
	parser, err := kong.New(&commandLine{}, kong.Writers(io.Discard, io.Discard), kong.BindTo(t.Context(), (*context.Context)(nil)), kong.Bind(streams))
	require.NoError(t, err)
	chosen, err := parser.Parse(args)
	require.NoError(t, err)
	return chosen.Run()
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
	require.Equal(t, "DEBUG", line.Wait.Level.String())

	line, err = parse(t, "resolve", "a", "--write-off")
	require.NoError(t, err)
	require.True(t, line.Resolve.WriteOff)
	require.Equal(t, "WARN", line.Resolve.Level.String(), "the SDK's messages below warnings are not for users")

	for _, command := range []string{"submit", "rescue"} {
		_, err = parse(t, command, "--model", " ")
		require.EqualError(t, err, "--model: it is blank: give a model of lumaflow models, or leave the flag out")
	}

	line, err = parse(t, "list", "--failed")
	require.NoError(t, err)
	require.Equal(t, 50, line.List.Limit)

	for _, start := range [][]string{{"batch", "shots.jsonl", "--at-once", "5", "--budget", "7"}, {"batch", "--budget", "7", "--concurrency=5", "shots.jsonl"}, {"batch", "run", "shots.jsonl", "--concurrency", "5", "--budget=7"}} {
		line, err = parse(t, start...)
		require.NoError(t, err, "%v", start)
		require.Equal(t, "shots.jsonl", line.Batch.Run.File)
		require.Equal(t, 5, line.Batch.Run.Concurrency)
		require.Equal(t, 7, line.Batch.Run.Budget)
	}
	line, err = parse(t, "batch", "./status")
	require.NoError(t, err)
	require.Equal(t, "./status", line.Batch.Run.File, "a file with the name of a command")
	line, err = parse(t, "batch", "status", "b-1", "--watch")
	require.NoError(t, err)
	require.Equal(t, "b-1", line.Batch.Status.ID)
	line, err = parse(t, "batch", "set-concurrency", "b-1", "20")
	require.NoError(t, err)
	require.Equal(t, 20, line.Batch.SetConcurrency.Number)

	for _, wrong := range [][]string{{"list", "--open", "--failed"}, {"list", "--open", "--at-risk"}, {"batch"}, {"batch", "a", "b"}, {"batch", "status"}, {"batch", "set-concurrency", "b"}, {"wait"}, {"status"}, {"status", "a", "b"}, {"wait", "a", "--timeout", "soon"}} {
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
