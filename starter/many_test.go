package starter_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// shots asks for a number of jobs.
func shots(n int) []starter.Order {
	var orders []starter.Order
	for i := range n {
		input := request
		input.Prompt = fmt.Sprint("shot ", i+1)
		orders = append(orders, starter.Order{Input: input, Line: i + 1})
	}
	return orders
}

// serves has jobs that are started complete after a time.
func (f *temporal) serves(after time.Duration) {
	f.begins = func(id string, input workflows.ModifyVideoInput) {
		run := f.job(id).says(workflows.Status{Stage: workflows.StageWaiting, TaskID: "task-of-" + id})
		time.AfterFunc(after, func() {
			f.do(func() {
				run.history.endsWell(workflows.ModifyVideoResult{TaskID: "task-of-" + id})
				run.end(statusCompleted, after)
				f.served++
			})
		})
	}
}

// crowded watches over a Temporal: how many jobs are open, and how many requests
// are under way, at most.
type crowded struct {
	*temporal
	mu               sync.Mutex
	asking, mostAsks int
	mostOpen         int
}

func (c *crowded) asks() (done func()) {
	c.mu.Lock()
	c.asking++
	c.mostAsks = max(c.mostAsks, c.asking)
	c.mu.Unlock()
	time.Sleep(time.Millisecond)
	return func() {
		c.mu.Lock()
		c.asking--
		c.mu.Unlock()
	}
}

func (c *crowded) DescribeWorkflow(ctx context.Context, id, runID string) (*client.WorkflowExecutionDescription, error) {
	defer c.asks()()
	return c.temporal.DescribeWorkflow(ctx, id, runID)
}

func (c *crowded) ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	defer c.asks()()
	run, err := c.temporal.ExecuteWorkflow(ctx, options, workflow, args...)
	open := 0
	c.temporal.do(func() { open = len(c.runs) - c.served })
	c.mu.Lock()
	c.mostOpen = max(c.mostOpen, open)
	c.mu.Unlock()
	return run, err
}

// Ten thousand jobs take no more requests at once, open jobs or goroutines than
// a few hundred, and the same again starts nothing.
func TestRunManyIsBounded(t *testing.T) {
	const total, atOnce = 10_000, 200
	synctest.Test(t, func(t *testing.T) {
		fake := &crowded{temporal: newTemporal(t)}
		fake.serves(5 * time.Second)
		s := starter.New(fake, starter.Options{})
		before, most := runtime.NumGoroutine(), 0
		show := func(starter.Tally) { most = max(most, runtime.NumGoroutine()) }
		options := starter.ManyOptions{AtOnce: atOnce, Show: show}
		outcomes, err := s.RunMany(t.Context(), shots(total), options)
		require.NoError(t, err)
		require.Len(t, outcomes, total)
		for i, outcome := range outcomes {
			require.Equal(t, starter.StateCompleted, outcome.State)
			require.Equal(t, "task-of-"+outcome.WorkflowID, outcome.Result.TaskID)
			require.Equal(t, i+1, outcome.Line)
			require.False(t, outcome.Existing)
		}
		require.Len(t, fake.starts, total)
		require.Equal(t, atOnce, fake.mostOpen)
		require.LessOrEqual(t, fake.mostAsks, starter.Hands)
		require.Less(t, most-before, 4*starter.Hands, "goroutines")

		outcomes, err = s.RunMany(t.Context(), shots(total), options)
		require.NoError(t, err)
		require.Len(t, fake.starts, total, "nothing is started again")
		for _, outcome := range outcomes {
			require.Equal(t, starter.StateCompleted, outcome.State)
			require.True(t, outcome.Existing)
		}
	})
}

// What became of an earlier job of the same request decides what happens to it
// in a batch.
func TestRunManyAfterAnEarlierJob(t *testing.T) {
	tests := []struct {
		name     string
		end      func(*run)
		retry    bool
		started  bool
		state    starter.State
		existing bool
		failure  string
		says     string
	}{
		{"completed", func(r *run) { r.end(statusCompleted, time.Minute).history.endsWell(done) }, false, false,
			starter.StateCompleted, true, "", ""},
		{"refused, nothing paid", func(r *run) {
			r.end(statusFailed, time.Minute).history.endsFailed(application(workflows.SubmitRefused, "no"))
		}, false, true, starter.StateCompleted, false, "", ""},
		{"the generation failed", func(r *run) {
			r.end(statusFailed, time.Minute).history.endsFailed(application(workflows.GenerationFailed, "moderated"))
		}, false, false, starter.StateFailed, true, workflows.GenerationFailed, "moderated"},
		{"the generation failed, and is paid again", func(r *run) {
			r.end(statusFailed, time.Minute).history.endsFailed(application(workflows.GenerationFailed, "moderated"))
		}, true, true, starter.StateCompleted, false, "", ""},
		{"paid, not collected", func(r *run) {
			r.history.completes(r.history.schedules("Submit", ""), activities.Submitted{TaskID: taskID})
			r.end(statusFailed, time.Minute).history.endsFailed(application(workflows.ResultOverdue, "late"))
		}, true, false, starter.StateFailed, true, workflows.ResultOverdue, "lumaflow submit --task-id " + taskID},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
				fake.serves(time.Second)
				test.end(fake.job(jobID))
				outcomes, err := starter.New(fake, starter.Options{}).RunMany(t.Context(), []starter.Order{{Input: request}},
					starter.ManyOptions{AtOnce: 10, RetryFailed: test.retry})
				require.NoError(t, err)
				require.Equal(t, test.started, len(fake.starts) == 1)
				require.Equal(t, test.state, outcomes[0].State)
				require.Equal(t, test.existing, outcomes[0].Existing)
				if test.failure == "" {
					require.Nil(t, outcomes[0].Failure)
					return
				}
				require.Equal(t, test.failure, outcomes[0].Failure.Type)
				require.Contains(t, outcomes[0].Failure.Message, test.says)
			})
		})
	}
}

// A job that can't be started, or is out of sight, is its own trouble.
func TestRunManyGoesOnWithTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		fake.serves(10 * time.Second)
		fake.startErr = []error{serviceerror.NewInvalidArgument("no such task queue")}
		time.AfterFunc(5*time.Second, func() {
			fake.do(func() { delete(fake.runs, starter.JobID(shots(2)[1].Input, "")) })
		})
		outcomes, err := starter.New(fake, starter.Options{}).RunMany(t.Context(), shots(3), starter.ManyOptions{AtOnce: 1})
		require.NoError(t, err)
		require.Equal(t, starter.StateNotStarted, outcomes[0].State)
		require.Equal(t, starter.FailureNotStarted, outcomes[0].Failure.Type)
		require.Contains(t, outcomes[0].Failure.Message, "no such task queue")
		require.Equal(t, starter.StateUnknown, outcomes[1].State)
		require.Equal(t, starter.FailureOutOfSight, outcomes[1].Failure.Type)
		require.Equal(t, starter.StateCompleted, outcomes[2].State)
	})
}

// While Temporal is away nothing is given up, until it has been away for long.
func TestRunManyThroughAnOutage(t *testing.T) {
	tests := []struct {
		name string
		// from and to are when Temporal is away, after the start.
		from, to time.Duration
		jobs     int
		err      string
		// open and unknown are how many jobs are left where.
		open, unknown int
	}{
		{"at the start", 0, time.Minute, 3, "", 0, 0},
		{"while the jobs run", time.Second, time.Minute, 3, "", 0, 0},
		{"for long", time.Second, time.Hour, 3, "Temporal has not answered for 5m0s; the jobs that are started go on by themselves, run the same command again to see to all of them", 3, 0},
		{"for long, from the start", 0, time.Hour, 1, "Temporal has not answered for 5m0s; the jobs that are started go on by themselves, run the same command again to see to all of them", 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
				fake.serves(30 * time.Second)
				away := serviceerror.NewUnavailable("away")
				if test.from == 0 {
					fake.down = away
				} else {
					time.AfterFunc(test.from, func() { fake.do(func() { fake.down = away }) })
				}
				defer time.AfterFunc(test.to, func() { fake.do(func() { fake.down = nil }) }).Stop()
				var notes []string
				outcomes, err := starter.New(fake, starter.Options{}).RunMany(t.Context(), shots(test.jobs), starter.ManyOptions{AtOnce: 10, Show: func(tally starter.Tally) {
					notes = append(notes, tally.Note)
				}})
				require.Contains(t, notes, "Temporal does not answer; the jobs go on, trying again")
				states := map[starter.State]int{}
				for _, outcome := range outcomes {
					states[outcome.State]++
				}
				if test.err != "" {
					require.EqualError(t, err, test.err)
					require.Equal(t, test.open, states[starter.StateRunning])
					require.Equal(t, test.unknown, states[starter.StateUnknown])
					return
				}
				require.NoError(t, err)
				require.Equal(t, test.jobs, states[starter.StateCompleted])
				require.Len(t, fake.starts, test.jobs)
			})
		})
	}
}

// What nobody is allowed to do is not tried a thousand times.
func TestRunManyThatIsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		fake.down = serviceerror.NewPermissionDenied("not for you", "")
		_, err := starter.New(fake, starter.Options{}).RunMany(t.Context(), shots(1000), starter.ManyOptions{AtOnce: 10})
		require.ErrorContains(t, err, "not for you")
		require.Empty(t, fake.starts)
		require.Less(t, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), time.Second)
	})
}

func TestRunManyThatIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		fake.serves(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		outcomes, err := starter.New(fake, starter.Options{}).RunMany(ctx, shots(5), starter.ManyOptions{AtOnce: 2})
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, fake.starts, 2)
		require.Equal(t, starter.StateRunning, outcomes[1].State)
		require.Equal(t, workflows.StageWaiting, outcomes[1].Status.Stage)
		require.Equal(t, starter.StateNotStarted, outcomes[2].State)
		require.Equal(t, starter.JobID(shots(3)[2].Input, ""), outcomes[2].WorkflowID)
	})
}

// The tally tells where the jobs are and what is in their way.
func TestRunManyTells(t *testing.T) {
	ready := func(stage workflows.Stage, detail string) func(*temporal, *run) {
		return func(f *temporal, r *run) {
			f.do(func() { r.says(workflows.Status{Stage: stage, Detail: detail}) })
		}
	}
	tests := []struct {
		name string
		job  func(*temporal, *run)
		says string
		note string
	}{
		{"held", ready(workflows.StageHeld, "kie.ai holds the job: no credit"), "0 of 3 done, 2 held, 1 not started yet", "kie.ai holds the job: no credit"},
		{"lost", ready(workflows.StageSubmitUnknown, "resolve it"), "0 of 3 done, 2 submit-unknown, 1 not started yet", "resolve it"},
		{"waiting", ready(workflows.StageWaiting, "be patient"), "0 of 3 done, 2 waiting, 1 not started yet", ""},
		{"failing", func(f *temporal, r *run) {
			f.do(func() {
				r.works("Identify").pending[0].LastFailure = failureOf(application(activities.ProviderUnavailable, "kie.ai has no record of task t yet"))
			})
		}, "0 of 3 done, 2 waiting, 1 not started yet", "kie.ai has no record of task t yet; it is tried again"},
		{"ending", ready(workflows.StageDone, "stored"), "0 of 3 done, 2 ending, 1 not started yet", ""},
		{"known without a question", func(f *temporal, r *run) { f.do(func() { r.works("Download") }) }, "0 of 3 done, 2 collecting, 1 not started yet", ""},
		{"known by its label", func(f *temporal, r *run) { f.do(func() { r.inStage(workflows.StageWaiting) }) }, "0 of 3 done, 2 waiting, 1 not started yet", ""},
		{"no worker", func(f *temporal, _ *run) { f.do(func() { f.worker = false }) }, "0 of 3 done, 2 started, 1 not started yet",
			"no worker is polling task queue lumaflow; start one with: lumaflow worker"},
		{"a slow worker", func(*temporal, *run) {}, "0 of 3 done, 2 started, 1 not started yet", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
				fake.begins = func(id string, _ workflows.ModifyVideoInput) { test.job(fake, fake.job(id)) }
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(20*time.Second, cancel)
				var last starter.Tally
				_, err := starter.New(fake, starter.Options{}).RunMany(ctx, shots(3), starter.ManyOptions{AtOnce: 2, Show: func(tally starter.Tally) { last = tally }})
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, test.says, last.String())
				require.Equal(t, test.note, last.Note)
				if test.says == "0 of 3 done, 2 started, 1 not started yet" {
					require.LessOrEqual(t, fake.asked, 2, "a worker that is silent is left alone")
				}
			})
		})
	}
}
