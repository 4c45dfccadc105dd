package jobs_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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
	"lumaflow/workflows/batches"
)

// began is the time at which the clock of a synctest bubble begins.
var began = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// batchRun makes batches that check their jobs for a second, run for a minute and end
// with a result.
func batchRun(fake *startertest.Temporal, progress batches.Progress, result batches.Result) {
	fake.OnBatch = func(id string, input batches.Input) {
		run := fake.Batch(id, input)
		run.Progress = func() (batches.Progress, error) {
			if time.Since(run.Started) < time.Second {
				return batches.Progress{Phase: batches.PhaseChecking, StartedAt: run.Started}, nil
			}
			return progress, nil
		}
		result.StartedAt, result.EndedAt = run.Started, run.Started.Add(time.Minute)
		time.AfterFunc(time.Minute, func() {
			fake.Do(func() {
				run.History.EndCompleted(result)
				run.End(statusCompleted, time.Minute)
			})
		})
	}
}

func TestBatchCommand(t *testing.T) {
	file := batchFile(t, "shots.jsonl", snow, "", rain, snow)
	_, checked, err := batchCommand(file).Request(t.Context(), nil)
	require.NoError(t, err)
	id := checked.ID("")
	running := batches.Progress{Phase: batches.PhaseRunning, Counts: batches.Counts{Lines: 3, Duplicates: 1, Jobs: 2, Done: 1, Charges: 2},
		Concurrency: 100, InFlight: 1, PerHour: 120, Remaining: 30 * time.Second, StartedAt: began}
	done := batches.Result{Counts: batches.Counts{Lines: 3, Duplicates: 1, Jobs: 2, Done: 2, Charges: 2}, Results: "file:///videos/" + id + ".results.jsonl"}
	const repeats = "lines that repeat others are the same jobs: 1 left out; for another, paid take give a line a key\n"

	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		batchRun(fake, running, done)
		s := starter.New(fake, starter.Options{})
		streams, out, messages := newStreams("")
		require.NoError(t, batchCommand(file).RunOn(t.Context(), s, streams))
		require.Equal(t, "batch    "+id+"\nstate    completed after 1m0s\njobs     2 of 2 done\npaid     2 submissions\nresults  file:///videos/"+id+".results.jsonl\n", out.String())
		require.Equal(t, repeats+"batch "+id+" is started: 2 jobs, at most 100 open at the same time; see it with: lumaflow batch status "+id+"\n"+
			"the batch checks its jobs\n1 of 2 done, 1 in flight; 120 an hour, about 1m left\n2 of 2 done\n", messages.String())
		require.Equal(t, 100, fake.BatchInputs[0].Concurrency)

		streams, out, messages = newStreams("")
		again := batchCommand(file)
		again.JSON = true
		require.NoError(t, again.RunOn(t.Context(), s, streams))
		require.Len(t, fake.Starts, 1, "the same file twice is the same batch")
		require.Contains(t, messages.String(), "batch "+id+" is done already, nothing was started\n")
		var report starter.BatchReport
		require.NoError(t, json.Unmarshal(out.Bytes(), &report))
		require.Equal(t, 2, report.Result.Done)

		streams, _, _ = newStreams("")
		take := batchCommand(file)
		take.Key = "take-2"
		require.NoError(t, take.RunOn(t.Context(), s, streams))
		require.Equal(t, checked.ID("take-2"), fake.Starts[1].ID)
	})

	t.Run("interrupted", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			batchRun(fake, running, done)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			streams, out, _ := newStreams("")
			err := batchCommand(file).RunOn(ctx, starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, "stopped watching: batch "+id+" continues by itself; watch it again with: lumaflow batch status "+id+" --watch")
			require.Equal(t, command.ExitFailed, command.ExitCode(err))
			require.Empty(t, out.String())

			streams, _, messages := newStreams("")
			require.NoError(t, (&jobs.BatchStatusCommand{ID: id, Watch: true}).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
			require.Equal(t, "1 of 2 done, 1 in flight; 120 an hour, about 1m left\n2 of 2 done\n", messages.String())
		})
	})

	t.Run("with failures", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			results := filepath.Join(t.TempDir(), "b.results.jsonl")
			require.NoError(t, os.WriteFile(results, []byte(`{"line":1,"job":"luma-1","outcome":"done"}
{"line":3,"job":"luma-3","outcome":"failed","reason":"job luma-3, task t: moderated"}
{"line":4,"job":"luma-1","outcome":"duplicate","reason":"the same job as line 1"}
{"line":5,"job":"luma-5","outcome":"deleted","reason":"Temporal has no such job any more"}
`), 0o600))
			failed := done
			failed.Jobs, failed.Done, failed.Failed, failed.Results = 4, 1, 3, "file://"+results
			batchRun(fake, running, failed)
			streams, out, messages := newStreams("")
			short := batchCommand(file)
			short.Timeout = time.Hour
			err := short.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams)
			require.EqualError(t, err, "3 of 4 jobs ended without their video; to run them once more, and pay again where kie.ai made no video: lumaflow batch retry "+id)
			require.Equal(t, command.ExitFailed, command.ExitCode(err))
			require.Contains(t, out.String(), "jobs     1 of 4 done, 3 failed\n")
			require.True(t, strings.HasSuffix(messages.String(), "\nline 3: job luma-3, task t: moderated\nline 5: job luma-5: Temporal has no such job any more\nthe results have 1 more\n"), messages.String())

			require.NoError(t, os.Remove(results))
			streams, _, messages = newStreams("")
			require.Error(t, (&jobs.BatchStatusCommand{ID: id, Watch: true}).RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
			require.Contains(t, messages.String(), "\nthe results have the reasons of the failures\n")
		})
	})

	t.Run("in the background", func(t *testing.T) {
		fake := startertest.New(t)
		fake.HasWorker = false
		streams, out, messages := newStreams("")
		c := batchCommand(file)
		c.Detach = true
		require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
		require.Equal(t, id+"\n", out.String())
		require.Contains(t, messages.String(), "no worker is polling task queue lumaflow; start one with: lumaflow worker\n")
	})
}

func TestBatchPlan(t *testing.T) {
	fake := startertest.New(t)
	fake.Job(jobID).End(statusCompleted, time.Minute).History.EndCompleted(workflows.ModifyVideoResult{})
	c := batchCommand(batchFile(t, "shots.jsonl", snow, rain, `{"taskId":"t"}`, `{"prompt":"sun","videoUrl":"https://example.org/in.mp4"}`, rain))
	c.Plan, c.ID = true, "b"
	streams, out, _ := newStreams("")
	require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	require.Equal(t, `batch        b (nothing is started)
lines        5, of which 1 repeat others
jobs         4: 1 done already, 0 open already, 0 failed and not run again
submissions  2 to be paid
collections  1 at no cost
price        unknown: give --price-per-job
time         at least 1s to submit, at 2 a second; then each job takes the usual time of its model
`, out.String())

	c.Budget, c.PricePerJob, c.JSON = 1, 0.35, true
	streams, out, _ = newStreams("")
	require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	require.JSONEq(t, `{"workflowId":"b","lines":5,"duplicates":1,"jobs":4,"done":1,"open":0,"failed":0,"collect":1,"submissions":2,"paid":0,"mostSubmissions":1,"price":0.35,"seconds":0.5}`, out.String())

	c.JSON = false
	streams, out, _ = newStreams("")
	require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	require.Contains(t, out.String(), "submissions  2 to be paid, at most 1 with --budget 1\n")
	require.Contains(t, out.String(), "price        0.35 (1 × 0.35)\n")

	fake.AcceptedTask("luma-modify-earlier", "task-earlier", ages(time.Hour, time.Hour, 0)).Parent = "b"
	streams, out, _ = newStreams("")
	require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	require.Contains(t, out.String(), "submissions  2 to be paid, at most 0 with --budget 1: the batch has paid 1 already, so only jobs that cost nothing run; give a greater budget to submit more\n")
	require.Contains(t, out.String(), "price        0.00 (0 × 0.35)\n")

	c.Budget = 2
	streams, out, _ = newStreams("")
	require.NoError(t, c.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
	require.Contains(t, out.String(), "submissions  2 to be paid, at most 1 with --budget 2; the batch has paid 1, which a budget counts\n")
	require.Empty(t, fake.Starts)
}

// Each line that can't be used is listed before anything is started, up to a limit.
func TestUnusableLines(t *testing.T) {
	for _, test := range []struct {
		lines  []string
		listed int
		sum    string
	}{
		{[]string{snow, "nope", `{"takId":"t"}`}, 2, "can't be used: 2; nothing is started"},
		{slices.Repeat([]string{"nope"}, 35), 20, "can't be used: 35, of which the first 20 are listed; nothing is started"},
	} {
		c := batchCommand(batchFile(t, "shots.jsonl", test.lines...))
		streams, _, errs := newStreams("")
		err := c.Run(t.Context(), streams)
		require.ErrorContains(t, err, test.sum)
		require.Equal(t, command.ExitUsage, command.ExitCode(err))
		require.Equal(t, test.listed, strings.Count(errs.String(), "\n"))
		require.Regexp(t, `(?m)^\S+shots.jsonl line 2: `, errs.String())
	}
}

// The control of a batch has one line for each result.
func TestBatchControl(t *testing.T) {
	after := batches.Progress{Phase: batches.PhasePaused, Counts: batches.Counts{Jobs: 9, Done: 1}, Concurrency: 20, InFlight: 3, NotStarted: 5}
	type runner interface {
		RunOn(context.Context, *starter.Starter, command.Streams) error
	}
	concurrency := &jobs.BatchSetConcurrencyCommand{Number: 20}
	pause, resume, stop, retry := &jobs.BatchPauseCommand{}, &jobs.BatchResumeCommand{}, &jobs.BatchStopCommand{}, &jobs.BatchRetryCommand{}
	for _, id := range []*string{&concurrency.ID, &pause.ID, &resume.ID, &stop.ID, &retry.ID} {
		*id = "b"
	}
	for _, test := range []struct {
		command runner
		update  string
		message string
	}{
		{pause, batches.PauseUpdate, "batch b is paused; open jobs continue: 3, not started: 5\n"},
		{resume, batches.ResumeUpdate, "batch b is resumed; open: 3, not started: 5\n"},
		{stop, batches.StopUpdate, "batch b starts no more jobs; open jobs continue: 3, not started: 5\n"},
		{concurrency, batches.SetConcurrencyUpdate, "batch b has at most 20 open jobs at the same time; open: 3, not started: 5\n"},
		{retry, batches.RetryUpdate, "batch b runs what failed once more when it has come to its end\n"},
	} {
		t.Run(test.update, func(t *testing.T) {
			fake := startertest.New(t)
			s := starter.New(fake, starter.Options{})
			streams, _, _ := newStreams("")
			require.ErrorIs(t, test.command.RunOn(t.Context(), s, streams), starter.ErrNoBatch)

			run := fake.Batch("b", batches.Input{})
			sent := ""
			run.BatchUpdate = func(name string, _ ...any) (batches.Progress, error) { sent = name; return after, nil }
			streams, out, messages := newStreams("")
			require.NoError(t, test.command.RunOn(t.Context(), s, streams))
			require.Equal(t, test.update, sent)
			require.Equal(t, test.message, messages.String())
			require.Empty(t, out.String())

			run.BatchUpdate = func(string, ...any) (batches.Progress, error) {
				return batches.Progress{}, startertest.ApplicationError("", "batch b is stopped")
			}
			err := test.command.RunOn(t.Context(), s, streams)
			require.EqualError(t, err, "batch b is stopped")
			require.Equal(t, command.ExitFailed, command.ExitCode(err))
		})
	}
}

// The status of a batch has a line for each fact.
func TestBatchStatus(t *testing.T) {
	tests := []struct {
		name   string
		report starter.BatchReport
		want   string
		err    string
	}{
		{"held", starter.BatchReport{State: starter.StateRunning, Progress: &batches.Progress{
			Phase: batches.PhaseHeld, Reason: "kie.ai holds 1 jobs: no credit", Counts: batches.Counts{Jobs: 9, Done: 3, Failed: 1, Charges: 4},
			Concurrency: 20, InFlight: 1, Held: 1, NotStarted: 4, PerHour: 30, Remaining: 2 * time.Hour, StartedAt: began, RetryRequested: true,
		}}, `batch   b
state   held for 1m0s
jobs    3 of 9 done, 1 failed, 1 in flight, 1 of them held, 4 not started; 30 an hour, about 2h0m left
paid    4 submissions
reason  kie.ai holds 1 jobs: no credit
open    at most 20 at the same time
retry   runs what failed once more at the end
`, "batch b: running"},
		{"no worker", starter.BatchReport{State: starter.StateRunning, StartedAt: began, Note: "no worker"}, "batch  b\nstate  running for 1m0s\nnote   no worker\n", "batch b: running"},
		{"stopped", starter.BatchReport{State: starter.StateCompleted, Result: &batches.Result{
			Counts: batches.Counts{Jobs: 9, Done: 3, Charges: 3}, NotStarted: 6, Stopped: "budget: 3 submissions are paid, and the budget is 3", Results: "file:///r", StartedAt: began, EndedAt: began.Add(time.Second),
		}}, `batch    b
state    completed after 1s
jobs     3 of 9 done, 6 not started
paid     3 submissions
stopped  budget: 3 submissions are paid, and the budget is 3
results  file:///r
`, "6 of 9 jobs were not started (budget: 3 submissions are paid, and the budget is 3); to go on with them: lumaflow batch retry b"},
		{"failed", starter.BatchReport{State: starter.StateFailed, StartedAt: began, ClosedAt: began.Add(time.Second), Failure: &starter.Failure{Type: batches.ManifestChanged, Message: "batch b: the manifest has changed"}},
			"batch    b\nstate    failed after 1s\nfailure  batch b: the manifest has changed\n", "batch b: the manifest has changed"},
		{"terminated", starter.BatchReport{State: starter.StateTerminated, StartedAt: began, ClosedAt: began.Add(time.Second), Failure: &starter.Failure{Type: "Terminated", Message: "it was terminated in Temporal"}},
			"batch    b\nstate    terminated after 1s\nfailure  it was terminated in Temporal\n", "batch b: it was terminated in Temporal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Minute)
				streams, out, _ := newStreams("")
				test.report.WorkflowID = "b"
				require.NoError(t, jobs.WriteBatch(streams.Out, test.report))
				require.Equal(t, test.want, out.String())
				require.EqualError(t, jobs.BatchError(test.report), test.err)
			})
		})
	}
}
