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
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// tasks returns the ids of a number of tasks.
func tasks(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprint("task-", i+1))
	}
	return ids
}

// collector is the id of the job that collects a task.
func collector(task string) string {
	return starter.JobID(workflows.ModifyVideoInput{TaskID: task}, "")
}

// countingTemporal counts the most open jobs and the most concurrent requests.
type countingTemporal struct {
	*startertest.Temporal
	mu               sync.Mutex
	asking, mostAsks int
	mostOpen         int
}

func (c *countingTemporal) asks() (done func()) {
	c.mu.Lock()
	c.asking++
	c.mostAsks = max(c.mostAsks, c.asking)
	c.mu.Unlock()
	// A request takes a millisecond of synctest's fake clock, so that requests overlap.
	time.Sleep(time.Millisecond)
	return func() {
		c.mu.Lock()
		c.asking--
		c.mu.Unlock()
	}
}

func (c *countingTemporal) DescribeWorkflow(ctx context.Context, id, runID string) (*client.WorkflowExecutionDescription, error) {
	defer c.asks()()
	return c.Temporal.DescribeWorkflow(ctx, id, runID)
}

func (c *countingTemporal) ExecuteWorkflow(ctx context.Context, options client.StartWorkflowOptions, workflow any, args ...any) (client.WorkflowRun, error) {
	defer c.asks()()
	run, err := c.Temporal.ExecuteWorkflow(ctx, options, workflow, args...)
	open := 0
	c.Do(func() { open = len(c.Runs) - c.Completed })
	c.mu.Lock()
	c.mostOpen = max(c.mostOpen, open)
	c.mu.Unlock()
	return run, err
}

// Ten thousand jobs are bounded in concurrent requests, open jobs and goroutines,
// and the same tasks again starts nothing.
func TestRescueIsBounded(t *testing.T) {
	const total, atOnce = 10_000, 200
	synctest.Test(t, func(t *testing.T) {
		fake := &countingTemporal{Temporal: startertest.New(t)}
		fake.CompleteAfter(5 * time.Second)
		s := starter.New(fake, starter.Options{})
		before, most := runtime.NumGoroutine(), 0
		show := func(starter.Tally) {
			// The goroutines of jobs that have just ended are the fake's.
			synctest.Wait()
			most = max(most, runtime.NumGoroutine())
		}
		options := starter.RescueOptions{AtOnce: atOnce, Show: show}
		outcomes, err := s.Rescue(t.Context(), tasks(total), options)
		require.NoError(t, err)
		require.Len(t, outcomes, total)
		for i, outcome := range outcomes {
			require.Equal(t, starter.StateCompleted, outcome.State)
			require.Equal(t, "task-of-"+outcome.WorkflowID, outcome.Result.TaskID)
			require.Equal(t, collector(fmt.Sprint("task-", i+1)), outcome.WorkflowID)
			require.False(t, outcome.Existing)
		}
		require.Len(t, fake.Starts, total)
		require.Equal(t, atOnce, fake.mostOpen)
		require.LessOrEqual(t, fake.mostAsks, starter.MaxConcurrent)
		require.Less(t, most-before, 4*starter.MaxConcurrent, "goroutines")

		outcomes, err = s.Rescue(t.Context(), tasks(total), options)
		require.NoError(t, err)
		require.Len(t, fake.Starts, total, "nothing is started again")
		for _, outcome := range outcomes {
			require.Equal(t, starter.StateCompleted, outcome.State)
			require.True(t, outcome.Existing)
		}
	})
}

// The end of an earlier job for the same task decides whether a rescue starts it again.
func TestRescueAfterAnEarlierJob(t *testing.T) {
	tests := []struct {
		name    string
		end     func(*startertest.Run)
		started bool
	}{
		{"completed", func(r *startertest.Run) {
			r.End(statusCompleted, time.Minute).History.EndCompleted(workflows.ModifyVideoResult{TaskID: taskID})
		}, false},
		{"failed", func(r *startertest.Run) {
			r.End(statusFailed, time.Minute).History.EndFailed(startertest.ApplicationError(workflows.ResultOverdue, "late"))
		}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				fake.CompleteAfter(time.Second)
				test.end(fake.Job(collector(taskID)))
				outcomes, err := starter.New(fake, starter.Options{}).Rescue(t.Context(), []string{taskID}, starter.RescueOptions{AtOnce: 10, Show: noTally})
				require.NoError(t, err)
				require.Equal(t, test.started, len(fake.Starts) == 1)
				require.Equal(t, starter.StateCompleted, outcomes[0].State)
				require.Equal(t, !test.started, outcomes[0].Existing)
				require.Nil(t, outcomes[0].Failure)
			})
		})
	}
}

// A job that can't be started or polled does not end the rescue.
func TestRescueContinuesWithOtherJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.CompleteAfter(10 * time.Second)
		fake.StartErrors = []error{serviceerror.NewInvalidArgument("no such task queue")}
		time.AfterFunc(5*time.Second, func() {
			fake.Do(func() { delete(fake.Runs, collector("task-2")) })
		})
		outcomes, err := starter.New(fake, starter.Options{}).Rescue(t.Context(), tasks(3), starter.RescueOptions{AtOnce: 1, Show: noTally})
		require.NoError(t, err)
		require.Equal(t, starter.StateNotStarted, outcomes[0].State)
		require.Equal(t, starter.FailureNotStarted, outcomes[0].Failure.Type)
		require.Contains(t, outcomes[0].Failure.Message, "no such task queue")
		require.Equal(t, starter.StateUnknown, outcomes[1].State)
		require.Equal(t, starter.FailureOutOfSight, outcomes[1].Failure.Type)
		require.Equal(t, starter.StateCompleted, outcomes[2].State)
	})
}

// A rescue outlasts a short outage of Temporal and fails after a long one.
func TestRescueThroughAnOutage(t *testing.T) {
	tests := []struct {
		name string
		// from and to are the beginning and the end of the outage.
		from, to time.Duration
		jobs     int
		err      string
		// open and unknown count the jobs in these states afterwards.
		open, unknown int
	}{
		{"at the start", 0, time.Minute, 3, "", 0, 0},
		{"while jobs run", time.Second, time.Minute, 3, "", 0, 0},
		{"a long outage", time.Second, time.Hour, 3, "Temporal has not answered for 5m0s; the started jobs continue by themselves, run the same command again to resume", 3, 0},
		{"a long outage from the start", 0, time.Hour, 1, "Temporal has not answered for 5m0s; the started jobs continue by themselves, run the same command again to resume", 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				fake.CompleteAfter(30 * time.Second)
				down := serviceerror.NewUnavailable("down")
				if test.from == 0 {
					fake.Down = down
				} else {
					time.AfterFunc(test.from, func() { fake.Do(func() { fake.Down = down }) })
				}
				defer time.AfterFunc(test.to, func() { fake.Do(func() { fake.Down = nil }) }).Stop()
				var notes []string
				outcomes, err := starter.New(fake, starter.Options{}).Rescue(t.Context(), tasks(test.jobs), starter.RescueOptions{AtOnce: 10, Show: func(tally starter.Tally) {
					notes = append(notes, tally.Note)
				}})
				require.Contains(t, notes, "Temporal does not answer; the jobs continue, the requests are retried")
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
				require.Len(t, fake.Starts, test.jobs)
			})
		})
	}
}

// A denied request is not repeated for every job.
func TestRescueThatIsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.Down = serviceerror.NewPermissionDenied("not for you", "")
		_, err := starter.New(fake, starter.Options{}).Rescue(t.Context(), tasks(1000), starter.RescueOptions{AtOnce: 10, Show: noTally})
		require.ErrorContains(t, err, "not for you")
		require.Empty(t, fake.Starts)
		require.Less(t, time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), time.Second)
	})
}

func TestRescueThatIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.CompleteAfter(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		outcomes, err := starter.New(fake, starter.Options{}).Rescue(ctx, tasks(5), starter.RescueOptions{AtOnce: 2, Show: noTally})
		require.ErrorIs(t, err, context.Canceled)
		require.Len(t, fake.Starts, 2)
		require.Equal(t, starter.StateRunning, outcomes[1].State)
		require.Equal(t, workflows.StageWaiting, outcomes[1].Status.Stage)
		require.Equal(t, starter.StateNotStarted, outcomes[2].State)
		require.Equal(t, collector("task-3"), outcomes[2].WorkflowID)
	})
}

// The tally counts the jobs by stage and names the obstacle.
func TestRescueTally(t *testing.T) {
	ready := func(stage workflows.Stage, detail string) func(*startertest.Temporal, *startertest.Run) {
		return func(f *startertest.Temporal, r *startertest.Run) {
			f.Do(func() { r.Answers(workflows.Status{Stage: stage, Detail: detail}) })
		}
	}
	tests := []struct {
		name string
		job  func(*startertest.Temporal, *startertest.Run)
		text string
		note string
	}{
		{"held", ready(workflows.StageHeld, "kie.ai holds the job: no credit"), "0 of 3 done, 2 held, 1 not started yet", "kie.ai holds the job: no credit"},
		{"submit unknown", ready(workflows.StageSubmitUnknown, "resolve it"), "0 of 3 done, 2 submit-unknown, 1 not started yet", "resolve it"},
		{"waiting", ready(workflows.StageWaiting, "kie.ai works"), "0 of 3 done, 2 waiting, 1 not started yet", ""},
		{"failing", func(f *startertest.Temporal, r *startertest.Run) {
			f.Do(func() {
				r.RunsActivity("Identify").Pending[0].LastFailure = startertest.FailureOf(startertest.ApplicationError(activities.ProviderUnavailable, "kie.ai has no record of task t yet"))
			})
		}, "0 of 3 done, 2 waiting, 1 not started yet", "kie.ai has no record of task t yet; it is retried"},
		{"ending", ready(workflows.StageDone, "stored"), "0 of 3 done, 2 ending, 1 not started yet", ""},
		{"stage from a pending activity", func(f *startertest.Temporal, r *startertest.Run) { f.Do(func() { r.RunsActivity("Download") }) }, "0 of 3 done, 2 collecting, 1 not started yet", ""},
		{"stage from the search attribute", func(f *startertest.Temporal, r *startertest.Run) { f.Do(func() { r.InStage(workflows.StageWaiting) }) }, "0 of 3 done, 2 waiting, 1 not started yet", ""},
		{"no worker", func(f *startertest.Temporal, _ *startertest.Run) { f.Do(func() { f.HasWorker = false }) }, "0 of 3 done, 2 started, 1 not started yet",
			"no worker is polling task queue lumaflow; start one with: lumaflow worker"},
		{"a slow worker", func(*startertest.Temporal, *startertest.Run) {}, "0 of 3 done, 2 started, 1 not started yet", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				fake.OnStart = func(id string, _ workflows.ModifyVideoInput) { test.job(fake, fake.Job(id)) }
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(20*time.Second, cancel)
				var last starter.Tally
				_, err := starter.New(fake, starter.Options{}).Rescue(ctx, tasks(3), starter.RescueOptions{AtOnce: 2, Show: func(tally starter.Tally) { last = tally }})
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, test.text, last.String())
				require.Equal(t, test.note, last.Note)
				if test.text == "0 of 3 done, 2 started, 1 not started yet" {
					require.LessOrEqual(t, fake.StatusQueries, 2, "queries pause after one without an answer")
				}
			})
		})
	}
}
