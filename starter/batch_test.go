package starter_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// jobsOf is the input of a batch with a hash.
func jobsOf(hash string) batches.Input {
	return batches.Input{Items: []json.RawMessage{json.RawMessage(`{"taskId":"t"}`)}, SHA256: hash}
}

func endBatch(run *startertest.Run, result batches.Result) {
	run.History.EndCompleted(result)
	run.End(statusCompleted, time.Minute)
}

var (
	allDone = batches.Result{Counts: batches.Counts{Lines: 2, Jobs: 2, Done: 2}}
	oneLeft = batches.Result{Counts: batches.Counts{Lines: 2, Jobs: 2, Done: 1, Failed: 1}, Results: "file:///videos/b.results.jsonl"}
)

// The same batch is found, and started again only if jobs of it have no video.
func TestStartBatch(t *testing.T) {
	tests := []struct {
		name                     string
		earlier                  func(*startertest.Temporal)
		chosen                   bool
		started, existing, again bool
		err                      error
		message                  string
	}{
		{"new", func(*startertest.Temporal) {}, false, true, false, false, nil, ""},
		{"open", func(f *startertest.Temporal) { f.Batch("b", jobsOf("h")) }, false, false, true, false, nil, ""},
		{"open, with a chosen id", func(f *startertest.Temporal) { f.Batch("b", jobsOf("h")) }, true, false, true, false, nil, ""},
		{"all done", func(f *startertest.Temporal) { endBatch(f.Batch("b", jobsOf("h")), allDone) }, false, false, true, false, nil, ""},
		{"a job has no video", func(f *startertest.Temporal) { endBatch(f.Batch("b", jobsOf("h")), oneLeft) }, false, true, false, true, nil, ""},
		{"terminated", func(f *startertest.Temporal) {
			f.Batch("b", jobsOf("h")).End(statusTerminated, time.Minute).History.EndTerminated()
		}, false, true, false, true, nil, ""},
		{"other jobs under a chosen id", func(f *startertest.Temporal) { endBatch(f.Batch("b", jobsOf("other")), allDone) }, true, false, false, false,
			starter.ErrBatchExists, "batch b exists with other jobs: choose another --id, or see it with: lumaflow batch status b"},
		{"the jobs of a later run under a chosen id", func(f *startertest.Temporal) {
			f.Batch("b", batches.Input{Continued: &batches.State{Manifest: "m", SHA256: "h"}})
		}, true, false, true, false, nil, ""},
		{"no batch", func(f *startertest.Temporal) { f.Job("b") }, false, false, false, false, starter.ErrOtherWorkflow, "b is no batch but a workflow of type ModifyVideo"},
		{"no answer to the start", func(f *startertest.Temporal) {
			f.StartErrors = []error{serviceerror.NewUnavailable("down")}
		}, false, true, false, false, nil, "it is unknown whether batch b was started (down); run the same command again: it is the same batch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			test.earlier(fake)
			batch, err := starter.New(fake, starter.Options{TaskQueue: "studio"}).StartBatch(t.Context(),
				starter.BatchRequest{ID: "b", ChosenID: test.chosen, Input: jobsOf("h")})
			require.Equal(t, test.started, len(fake.Starts) == 1)
			if test.message != "" {
				require.EqualError(t, err, test.message)
				if test.err != nil {
					require.ErrorIs(t, err, test.err)
				}
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.existing, batch.Existing)
			require.Equal(t, test.again, batch.Again)
			require.Equal(t, "b", batch.WorkflowID)
			if test.started {
				require.Equal(t, "studio", fake.Starts[0].TaskQueue)
				require.Equal(t, enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, fake.Starts[0].WorkflowIDReusePolicy)
				require.Equal(t, jobsOf("h"), fake.BatchInputs[0])
			}
		})
	}
}

// An invalid input is refused before anything is sent.
func TestStartOfAnInvalidBatch(t *testing.T) {
	fake := startertest.New(t)
	_, err := starter.New(fake, starter.Options{}).StartBatch(t.Context(), starter.BatchRequest{ID: "b", Input: batches.Input{Manifest: "m", Budget: -1}})
	require.ErrorContains(t, err, "budget is -1")
	require.Empty(t, fake.Starts)
}

func TestBatchStatus(t *testing.T) {
	progress := batches.Progress{Phase: batches.PhaseHeld, Counts: batches.Counts{Jobs: 2}}
	answers := func(r *startertest.Run) *startertest.Run {
		r.Progress = func() (batches.Progress, error) { return progress, nil }
		return r
	}
	tests := []struct {
		name    string
		batch   func(*startertest.Temporal)
		state   starter.State
		answers bool
		result  *batches.Result
		failure string
		note    string
	}{
		{"open", func(f *startertest.Temporal) { answers(f.Batch("b", jobsOf("h"))) }, starter.StateRunning, true, nil, "", ""},
		{"without a worker", func(f *startertest.Temporal) { f.Batch("b", jobsOf("h")); f.HasWorker = false }, starter.StateRunning, false, nil, "",
			"no worker is polling task queue lumaflow; start one with: lumaflow worker"},
		{"completed", func(f *startertest.Temporal) { endBatch(f.Batch("b", jobsOf("h")), oneLeft); f.HasWorker = false }, starter.StateCompleted, false, &oneLeft, "", ""},
		{"failed", func(f *startertest.Temporal) {
			answers(f.Batch("b", jobsOf("h"))).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError(batches.ManifestChanged, "batch b: the manifest has changed"))
		}, starter.StateFailed, true, nil, "batch b: the manifest has changed", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := startertest.New(t)
			test.batch(fake)
			report, err := starter.New(fake, starter.Options{}).BatchStatus(t.Context(), "b")
			require.NoError(t, err)
			require.Equal(t, test.state, report.State)
			require.Equal(t, test.answers, report.Progress != nil)
			require.Equal(t, test.result, report.Result)
			require.Equal(t, test.note, report.Note)
			if test.failure == "" {
				require.Nil(t, report.Failure)
				return
			}
			require.Equal(t, &starter.Failure{Type: batches.ManifestChanged, Message: test.failure}, report.Failure)
		})
	}
	_, err := starter.New(startertest.New(t), starter.Options{}).BatchStatus(t.Context(), "none")
	require.ErrorIs(t, err, starter.ErrNoBatch)
	require.EqualError(t, err, "there is no batch none: it was never started in this namespace, or its retention time is over; list the batches with: temporal workflow list --query \"WorkflowType='ModifyVideos'\"")
}

func TestUpdateBatch(t *testing.T) {
	fake := startertest.New(t)
	s := starter.New(fake, starter.Options{})
	open := fake.Batch("b", jobsOf("h"))
	var got []any
	open.BatchUpdate = func(name string, args ...any) (batches.Progress, error) {
		got = append([]any{name}, args...)
		return batches.Progress{Concurrency: 7}, nil
	}
	progress, err := s.UpdateBatch(t.Context(), "b", batches.SetConcurrencyUpdate, 7)
	require.NoError(t, err)
	require.Equal(t, 7, progress.Concurrency)
	require.Equal(t, []any{"set-concurrency", 7}, got)

	open.BatchUpdate = func(string, ...any) (batches.Progress, error) {
		return batches.Progress{}, startertest.ApplicationError("", "batch b is not paused")
	}
	_, err = s.UpdateBatch(t.Context(), "b", batches.ResumeUpdate)
	require.ErrorIs(t, err, starter.ErrRefused)
	require.EqualError(t, err, "batch b is not paused")

	fake.HasWorker = false
	_, err = s.UpdateBatch(t.Context(), "b", batches.PauseUpdate)
	require.EqualError(t, err, "batch b can't take an update now: no worker is polling task queue lumaflow; start one with: lumaflow worker")
	fake.HasWorker = true

	endBatch(open, oneLeft)
	_, err = s.UpdateBatch(t.Context(), "b", batches.PauseUpdate)
	require.ErrorIs(t, err, starter.ErrBatchEnded)
	require.EqualError(t, err, "batch b is over (completed); to go on with its jobs: lumaflow batch retry b")

	_, err = s.UpdateBatch(t.Context(), "none", batches.PauseUpdate)
	require.ErrorIs(t, err, starter.ErrNoBatch)

	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Batch("b", jobsOf("h"))
		_, err := starter.New(fake, starter.Options{}).UpdateBatch(t.Context(), "b", batches.StopUpdate)
		require.EqualError(t, err, "batch b has not confirmed stop and may still apply it; see: lumaflow batch status b")
	})
}

// A batch that is over retries with the jobs of its last run, and an open one at its
// end.
func TestRetryBatch(t *testing.T) {
	fake := startertest.New(t)
	s := starter.New(fake, starter.Options{})
	input := jobsOf("h")
	input.Budget = 9
	endBatch(fake.Batch("inline", input), oneLeft)
	batch, err := s.RetryBatch(t.Context(), "inline", starter.Limits{})
	require.NoError(t, err)
	require.True(t, batch.Again)
	input.RetryFailed = true
	require.Equal(t, input, fake.BatchInputs[0])

	endBatch(fake.Batch("continued", batches.Input{Concurrency: 3, Continued: &batches.State{Manifest: "m.jsonl", SHA256: "h", Next: 7}}), oneLeft)
	_, err = s.RetryBatch(t.Context(), "continued", starter.Limits{})
	require.NoError(t, err)
	require.Equal(t, batches.Input{Manifest: "m.jsonl", SHA256: "h", Concurrency: 3, RetryFailed: true}, fake.BatchInputs[1])

	endBatch(fake.Batch("done", jobsOf("h")), allDone)
	_, err = s.RetryBatch(t.Context(), "done", starter.Limits{})
	require.ErrorIs(t, err, starter.ErrNothingToRetry)

	update := ""
	fake.Batch("open", jobsOf("h")).BatchUpdate = func(name string, _ ...any) (batches.Progress, error) {
		update = name
		return batches.Progress{RetryRequested: true}, nil
	}
	batch, err = s.RetryBatch(t.Context(), "open", starter.Limits{})
	require.NoError(t, err)
	require.True(t, batch.Existing)
	require.Equal(t, batches.RetryUpdate, update)
	require.Len(t, fake.Starts, 2)
	budget, none := 12, 0
	_, err = s.RetryBatch(t.Context(), "open", starter.Limits{Budget: &budget})
	require.ErrorIs(t, err, starter.ErrBatchOpen)
	require.ErrorContains(t, err, "lumaflow batch set-concurrency open N")

	input.Canary, input.RetryFailed = 5, false
	endBatch(fake.Batch("limited", input), oneLeft)
	batch, err = s.RetryBatch(t.Context(), "limited", starter.Limits{Budget: &budget, Canary: &none})
	require.NoError(t, err)
	require.Equal(t, oneLeft.Charges, batch.Charges)
	require.Equal(t, 12, batch.Budget)
	input.Budget, input.Canary, input.RetryFailed = 12, 0, true
	require.Equal(t, input, fake.BatchInputs[2])
}

// A watch outlasts an outage, keeps the last progress and ends with the batch.
func TestWatchBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		run := fake.Batch("b", jobsOf("h"))
		run.Progress = func() (batches.Progress, error) { return batches.Progress{InFlight: 2}, nil }
		// Between two looks: each is two requests, and the order within one instant is random.
		time.AfterFunc(10*time.Second+time.Millisecond, func() { fake.Do(func() { fake.Down = serviceerror.NewUnavailable("down") }) })
		time.AfterFunc(2*time.Minute, func() { fake.Do(func() { fake.Down = nil; endBatch(run, oneLeft) }) })
		var notes []string
		report, err := starter.New(fake, starter.Options{}).WatchBatch(t.Context(), "b", func(report starter.BatchReport) {
			if report.State.Open() {
				require.Equal(t, 2, report.Progress.InFlight)
			}
			if report.Note != "" && len(notes) == 0 {
				notes = append(notes, report.Note)
			}
		})
		require.NoError(t, err)
		require.Equal(t, &oneLeft, report.Result)
		require.False(t, report.AllStored())
		require.Equal(t, []string{"Temporal does not answer; the batch continues, the requests are retried"}, notes)
	})
	for name, down := range map[string]error{
		"Temporal has not answered for 5m0s; batch b continues by itself, watch it again with: lumaflow batch status b --watch": serviceerror.NewUnavailable("down"),
		"look up batch b: not for you": serviceerror.NewPermissionDenied("not for you", ""),
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			fake.Down = down
			_, err := starter.New(fake, starter.Options{}).WatchBatch(t.Context(), "b", func(starter.BatchReport) {})
			require.EqualError(t, err, name)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Batch("b", jobsOf("h"))
		stop := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, stop)
		defer cancel()
		report, err := starter.New(fake, starter.Options{}).WatchBatch(ctx, "b", func(starter.BatchReport) {})
		require.ErrorIs(t, err, stop)
		require.True(t, report.State.Open())
	})
}

// A plan counts each job once and starts nothing.
func TestPlanBatch(t *testing.T) {
	line := func(key string) (text, id string) {
		return `{"prompt":"snow","videoUrl":"` + startertest.Video + `","key":"` + key + `"}`, starter.JobID(request, key)
	}
	fake := startertest.New(t)
	var lines []string
	add := func(key string, prepare func(*startertest.Run)) {
		text, id := line(key)
		lines = append(lines, text)
		if prepare != nil {
			prepare(fake.Job(id))
		}
	}
	fails := func(failure string) func(*startertest.Run) {
		return func(r *startertest.Run) {
			r.End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError(failure, "no"))
		}
	}
	add("new", nil)
	add("done", func(r *startertest.Run) {
		r.End(statusCompleted, time.Minute).History.EndCompleted(workflows.ModifyVideoResult{})
	})
	add("open", func(*startertest.Run) {})
	add("refused", fails(workflows.SubmitRefused))
	add("no video", fails(workflows.GenerationFailed))
	overdue := func(task string) func(*startertest.Run) {
		return func(r *startertest.Run) {
			fake.AcceptedTask(r.ID, task, ages(time.Hour, time.Hour, time.Minute)).End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError(workflows.ResultOverdue, "late"))
		}
	}
	add("paid", overdue("task-paid"))
	add("collected", overdue("task-collected"))
	fake.CollectedTask("task-collected", "")
	// Two of the jobs were started by the batch; the one that was refused paid nothing.
	for _, key := range []string{"refused", "paid"} {
		_, id := line(key)
		fake.Runs[id].Parent = "b"
	}
	lines = append(lines, `{"taskId":"other"}`, lines[0])

	file, err := starter.ReadBatch(strings.NewReader(strings.Join(lines, "\n")), false)
	require.NoError(t, err)
	s := starter.New(fake, starter.Options{})
	plan, err := s.PlanBatch(t.Context(), "b", file, false)
	require.NoError(t, err)
	require.Equal(t, starter.BatchPlan{Lines: 9, Duplicates: 1, Jobs: 8, Done: 2, Open: 1, Failed: 2, Collect: 1, Submissions: 2, Paid: 1}, plan)
	plan, err = s.PlanBatch(t.Context(), "b", file, true)
	require.NoError(t, err)
	require.Equal(t, starter.BatchPlan{Lines: 9, Duplicates: 1, Jobs: 8, Done: 2, Open: 1, Failed: 0, Collect: 2, Submissions: 3, Paid: 1}, plan)
	require.Empty(t, fake.Starts)

	fake.Down = serviceerror.NewUnavailable("down")
	_, err = s.PlanBatch(t.Context(), "b", file, false)
	require.ErrorContains(t, err, "Temporal does not answer")
}
