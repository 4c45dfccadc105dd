package runs_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/paid"
	"lumaflow/internal/paid/runs"
)

const (
	job   = "job"
	task  = "0123456789abcdef0123456789abcdef"
	other = "fedcba9876543210fedcba9876543210"
)

type result struct {
	TaskID string `json:"taskId"`
}

var (
	paidTask  = paid.Facts{TaskID: task, PaidOpen: true}
	paidOther = paid.Facts{TaskID: other, PaidOpen: true}
	unknown   = paid.Facts{PaidOpen: true}
)

// jobs are the states of a job that a late proof of task finds.
var jobs = []struct {
	name string
	// arrange adds the runs.
	arrange func(t *testing.T, s *server)
	outcome runs.Outcome
	// queue is that of the collecting job; empty if none is started.
	queue string
	// marked means that the collecting job is terminated before it runs.
	marked bool
}{
	{name: "the job is deleted", arrange: func(*testing.T, *server) {}, outcome: runs.Collecting, queue: "default-queue"},

	{name: "completed with the task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, completed, result{task}).remember(paidTask) }, outcome: runs.Stored},
	{name: "completed with another task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, completed, result{other}).remember(paidOther) }, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "failed with an unknown task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, failed, unknown).remember(unknown) }, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "failed without the video of the task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, failed, paidTask).remember(paidTask) }, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "the task has no video", arrange: func(_ *testing.T, s *server) { s.addEnd(job, failed, paid.Facts{TaskID: task}).remember(paidTask) }, outcome: runs.Stored},
	{name: "failed before it paid", arrange: func(_ *testing.T, s *server) { s.addEnd(job, failed, paid.Facts{}) }, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "a timeout of the run", arrange: func(_ *testing.T, s *server) { s.addEnd(job, timedOut).remember(paidTask) }, outcome: runs.Collecting, queue: "queue-of-job"},

	{name: "cancelled with an unknown task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, cancelled, "cancelled", unknown).remember(unknown) }, outcome: runs.AtRisk, queue: "queue-of-job", marked: true},
	{name: "cancelled, the task on record", arrange: func(_ *testing.T, s *server) { s.addEnd(job, cancelled, "cancelled", paidTask).remember(paidTask) }, outcome: runs.AtRisk},
	{name: "terminated with an unknown task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, terminated).remember(unknown) }, outcome: runs.AtRisk, queue: "queue-of-job", marked: true},
	{name: "terminated with another task", arrange: func(_ *testing.T, s *server) { s.addEnd(job, terminated).remember(paidOther) }, outcome: runs.AtRisk, queue: "queue-of-job", marked: true},
	{name: "terminated, the task on record", arrange: func(_ *testing.T, s *server) { s.addEnd(job, terminated).remember(paidTask) }, outcome: runs.AtRisk},
	{name: "written off", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, paid.Facts{PaidOpen: true, WrittenOff: true}).remember(unknown)
	}, outcome: runs.AtRisk, queue: "queue-of-job", marked: true},

	{name: "stored before a reset that was terminated", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, completed, result{task}).remember(paidTask)
		s.addEnd(job, terminated).remember(paidTask)
	}, outcome: runs.Stored},
	{name: "stored before a run that failed", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, completed, result{task}).remember(paidTask)
		s.addEnd(job, failed, paidOther).remember(paidOther)
	}, outcome: runs.Stored},
	{name: "terminated by a reset that failed", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, terminated).remember(paidTask)
		s.addEnd(job, failed, unknown).remember(unknown)
	}, outcome: runs.Collecting, queue: "queue-of-job"},

	{name: "v0.1: unknown", arrange: func(t *testing.T, s *server) { s.addRecorded(t, failed, "lost-response-window-ended") }, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "v0.1: overdue", arrange: func(t *testing.T, s *server) { s.addRecorded(t, failed, "result-overdue") }, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "v0.1: generation failed", arrange: func(t *testing.T, s *server) { s.addRecorded(t, failed, "generation-failed") }, outcome: runs.Stored},
	{name: "v0.1: completed", arrange: func(t *testing.T, s *server) { s.addRecorded(t, completed, "woken-by-callback") }, outcome: runs.Stored},
	{name: "v0.1: written off", arrange: func(t *testing.T, s *server) { s.addRecorded(t, failed, "operator-writes-off") }, outcome: runs.AtRisk, queue: "queue-of-job", marked: true},
	{name: "v0.1: cancelled", arrange: func(t *testing.T, s *server) { s.addRecorded(t, cancelled, "cancelled-while-lost") }, outcome: runs.AtRisk, queue: "queue-of-job", marked: true},
	{name: "v0.1: terminated, the task on record", arrange: func(t *testing.T, s *server) { s.addRecorded(t, terminated, "cancelled-while-waiting") }, outcome: runs.AtRisk},

	{name: "another job has stored the task", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd("another", completed, result{task}).task = task
	}, outcome: runs.Stored},
	{name: "the second of two other jobs has stored the task", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd("another", failed, paidTask).task = task
		s.addEnd("yet another", completed, result{task}).task = task
	}, outcome: runs.Stored},
	{name: "another job of a deleted job has stored the task", arrange: func(_ *testing.T, s *server) {
		s.addEnd("another", completed, result{task}).task = task
	}, outcome: runs.Stored},
	{name: "completed, and another task is left", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, completed, result{task}).remember(paid.Facts{TaskID: task, PaidOpen: true, OtherTasks: []string{other}})
	}, outcome: runs.Stored},
	{name: "another job works on the task", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd("another", running).task = task
	}, outcome: runs.Collecting},
	{name: "another job failed with the task", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd("another", failed, paidTask).task = task
	}, outcome: runs.Collecting, queue: "queue-of-job"},

	{name: "the collecting job is open", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd(runs.CollectorID(task), running)
	}, outcome: runs.Collecting},
	{name: "the collecting job has completed", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd(runs.CollectorID(task), completed, result{task})
	}, outcome: runs.Stored},
	{name: "the collecting job of a cancelled job has completed", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, cancelled, "cancelled", unknown)
		s.addEnd(runs.CollectorID(task), completed, result{task})
	}, outcome: runs.Stored},
	{name: "the collecting job has failed", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd(runs.CollectorID(task), failed, paidTask)
	}, outcome: runs.Collecting, queue: "queue-of-job"},
	{name: "a person cancelled the collecting job", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, failed, unknown)
		s.addEnd(runs.CollectorID(task), cancelled, "cancelled", paidTask)
	}, outcome: runs.AtRisk},
	{name: "the collecting job of a cancelled job has failed", arrange: func(_ *testing.T, s *server) {
		s.addEnd(job, cancelled, "cancelled", unknown)
		s.addEnd(runs.CollectorID(task), failed, paidTask)
	}, outcome: runs.AtRisk},
}

func TestCollect(t *testing.T) {
	for _, test := range jobs {
		t.Run(test.name, func(t *testing.T) {
			s := newServer()
			test.arrange(t, s)
			before := len(s.runs)
			for range 2 { // proof may arrive any number of times
				outcome, err := s.collector().Collect(t.Context(), job, task)
				require.NoError(t, err)
				assert.Equal(t, test.outcome, outcome)
			}
			assert.LessOrEqual(t, s.lists, 2, "at most one list for each proof")
			if test.queue == "" {
				assert.Empty(t, s.starts)
				return
			}
			require.Len(t, s.starts, 1)
			assert.Len(t, s.runs, before+1)
			assert.Equal(t, runs.CollectorID(task), s.starts[0].ID)
			assert.Equal(t, test.queue, s.starts[0].TaskQueue)
			if !test.marked {
				assert.Empty(t, s.terminations)
				assert.Zero(t, s.starts[0].StartDelay)
				return
			}
			requireMarked(t, s)
		})
	}
}

// requireMarked requires that the task is on record as a run that never began.
func requireMarked(t *testing.T, s *server) {
	t.Helper()
	latest := s.latest(runs.CollectorID(task)).info
	require.Equal(t, terminated, latest.GetStatus())
	require.Equal(t, time.Hour, latest.GetExecutionTime().AsTime().Sub(latest.GetStartTime().AsTime()))
	facts, ok := paid.FromMemo(latest.GetMemo(), data)
	require.True(t, ok)
	require.Equal(t, task, facts.TaskID)
	require.True(t, facts.PaidOpen)
	require.Equal(t, "lumaflow submit --task-id "+task, facts.Next)
	require.Contains(t, s.terminations[runs.CollectorID(task)], facts.Next)
}

// The proof belongs to a run that has begun since.
func TestCollectForAnOpenJob(t *testing.T) {
	for _, status := range []struct {
		name string
		run  func(*server)
	}{
		{"running", func(s *server) { s.addEnd(job, running) }},
		{"paused", func(s *server) { s.addEnd(job, paused) }},
	} {
		t.Run(status.name, func(t *testing.T) {
			s := newServer()
			s.addEnd(job, failed, unknown)
			status.run(s)
			_, err := s.collector().Collect(t.Context(), job, task)
			require.ErrorIs(t, err, runs.ErrOpen)
			require.Empty(t, s.starts)
		})
	}
}

// A call that fails leaves the proof to its next delivery, which completes what the
// first one began.
func TestCollectIsRepeated(t *testing.T) {
	errDown := serviceerror.NewUnavailable("down")
	tests := []struct {
		name    string
		method  string
		errors  []error
		arrange func(s *server)
		outcome runs.Outcome
	}{
		{"the job can't be described", "describe", []error{errDown}, func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
		{"its end can't be read", "history", []error{errDown}, func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
		{"the collecting job can't be described", "describe", []error{nil, errDown}, func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
		{"the collecting job can't be started", "start", []error{errDown}, func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
		{"the mark can't be started", "start", []error{errDown}, func(s *server) { s.addEnd(job, terminated).remember(unknown) }, runs.AtRisk},
		{"the mark can't be terminated", "terminate", []error{errDown}, func(s *server) { s.addEnd(job, terminated).remember(unknown) }, runs.AtRisk},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer()
			test.arrange(s)
			s.errors[test.method] = test.errors
			_, err := s.collector().Collect(t.Context(), job, task)
			require.ErrorIs(t, err, errDown)
			require.ErrorContains(t, err, task)

			outcome, err := s.collector().Collect(t.Context(), job, task)
			require.NoError(t, err)
			require.Equal(t, test.outcome, outcome)
			require.Len(t, s.starts, 1)
			if test.outcome == runs.AtRisk {
				requireMarked(t, s)
			}
		})
	}
}

// Two processes may have the same proof at one time.
func TestConcurrentProof(t *testing.T) {
	already := serviceerror.NewWorkflowExecutionAlreadyStarted("already started", "request", "run")
	for name, test := range map[string]struct {
		method  string
		err     error
		arrange func(s *server)
		outcome runs.Outcome
	}{
		"both start the collecting job": {"start", already, func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
		"both mark the task":            {"start", already, func(s *server) { s.addEnd(job, terminated).remember(unknown) }, runs.AtRisk},
		"both terminate the mark":       {"terminate", serviceerror.NewNotFound("already completed"), func(s *server) { s.addEnd(job, terminated).remember(unknown) }, runs.AtRisk},
		"the job is deleted meanwhile":  {"history", serviceerror.NewNotFound("deleted"), func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer()
			test.arrange(s)
			s.errors[test.method] = []error{test.err}
			outcome, err := s.collector().Collect(t.Context(), job, task)
			require.NoError(t, err)
			require.Equal(t, test.outcome, outcome)
		})
	}
}

// The collecting job is free and idempotent, so that proof does not depend on lists.
func TestCollectWithoutLists(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(s *server)
		outcome runs.Outcome
	}{
		{"failed", func(s *server) { s.addEnd(job, failed, unknown) }, runs.Collecting},
		{"deleted", func(*server) {}, runs.Collecting},
		{"ended by a person", func(s *server) { s.addEnd(job, terminated).remember(unknown) }, runs.AtRisk},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newServer()
			test.arrange(s)
			s.errors["list"] = []error{serviceerror.NewUnavailable("no visibility")}
			outcome, err := s.collector().Collect(t.Context(), job, task)
			require.NoError(t, err)
			require.Equal(t, test.outcome, outcome)
			require.Len(t, s.starts, 1)
			require.Empty(t, s.errors["list"])
		})
	}
}

// A list that hangs leaves time for the start of the collecting job.
func TestCollectWithASlowList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.addEnd(job, failed, unknown)
		s.hangs = true
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		outcome, err := s.collector().Collect(ctx, job, task)
		require.NoError(t, err)
		require.Equal(t, runs.Collecting, outcome)
	})
}

// A mark whose process died before it was terminated is a job like any other once it
// has begun.
func TestCollectAfterAMarkHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		s.addEnd(job, terminated).remember(unknown)
		s.errors["terminate"] = []error{serviceerror.NewUnavailable("killed")}
		_, err := s.collector().Collect(t.Context(), job, task)
		require.Error(t, err)
		require.True(t, runs.IsMark(s.latest(runs.CollectorID(task)).info))
		time.Sleep(time.Hour)
		require.False(t, runs.IsMark(s.latest(runs.CollectorID(task)).info))
		outcome, err := s.collector().Collect(t.Context(), job, task)
		require.NoError(t, err)
		require.Equal(t, runs.Collecting, outcome)
		require.Empty(t, s.terminations)
	})
}

// Temporal rejects a summary of more than 400 bytes.
func TestCollectATaskWithALongID(t *testing.T) {
	long := strings.Repeat("雪", 500)
	for _, status := range []enumspb.WorkflowExecutionStatus{failed, terminated} {
		s := newServer()
		s.addEnd(job, status, unknown).remember(unknown)
		_, err := s.collector().Collect(t.Context(), job, long)
		require.NoError(t, err)
		require.Len(t, s.starts, 1)
		require.Less(t, len(s.starts[0].StaticSummary), 300)
	}
}

// Namespaces without lumaflow's search attributes can't list the jobs of a task.
func TestCollectWithoutSearchAttributes(t *testing.T) {
	s := newServer()
	s.addEnd(job, failed, unknown)
	s.errors["list"] = []error{serviceerror.NewInvalidArgument("no mapping for LumaTaskId")}
	outcome, err := s.collector().Collect(t.Context(), job, task)
	require.NoError(t, err)
	require.Equal(t, runs.Collecting, outcome)
	require.Len(t, s.starts, 1)
}
