package starter_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// What is paid and not stored includes videos that kie.ai has deleted, at any age.
func TestPaidUnstored(t *testing.T) {
	at := func(age time.Duration) time.Time { return time.Now().Add(-age) }
	overdue := func(age time.Duration, cost *float64) paid.Facts {
		return paid.Facts{TaskID: "t", PaidOpen: true, EndedAt: at(age), Credits: cost}
	}
	ends := func(f *startertest.Temporal, id, failure string, facts paid.Facts, age time.Duration) {
		run := f.Job(id)
		run.Started = at(age + time.Hour)
		run.History.EndFailed(startertest.ApplicationError(failure, "no", facts))
		run.End(statusFailed, time.Hour)
	}
	collects := starter.JobID(workflows.ModifyVideoInput{TaskID: "t"}, "")
	tests := []struct {
		name string
		jobs func(*startertest.Temporal)
		// tasks are the tasks with their cost and what is left; unknown are jobs.
		tasks, unknown []string
		credits        float64
	}{
		{"no jobs", func(*startertest.Temporal) {}, nil, nil, 0},
		{"overdue", func(f *startertest.Temporal) { ends(f, "a", workflows.ResultOverdue, overdue(2*day, new(61.5)), day) }, []string{"a t 288h 61.5"}, nil, 61.5},
		{"overdue a year ago", func(f *startertest.Temporal) {
			ends(f, "a", workflows.ResultOverdue, overdue(365*day, new(61.5)), 364*day)
		}, []string{"a t expired 61.5"}, nil, 61.5},
		{"the media are gone", func(f *startertest.Temporal) {
			ends(f, "a", workflows.ResultOverdue, paid.Facts{TaskID: "t", EndedAt: at(2 * day), Credits: new(28.0)}, day)
		}, []string{"a t expired 28"}, nil, 28},
		{"a rescue has found the media gone", func(f *startertest.Temporal) {
			ends(f, "a", workflows.ResultOverdue, overdue(2*day, new(61.5)), day)
			ends(f, collects, workflows.ResultOverdue, paid.Facts{TaskID: "t", EndedAt: at(2 * day)}, time.Minute)
		}, []string{"* t expired 61.5"}, nil, 61.5},
		{"a rescue has found the media gone, a third job has stored them", func(f *startertest.Temporal) {
			ends(f, "a", workflows.ResultOverdue, overdue(2*day, new(61.5)), day)
			ends(f, collects, workflows.ResultOverdue, paid.Facts{TaskID: "t", EndedAt: at(2 * day)}, time.Minute)
			f.CollectedTask("t", "mine")
		}, nil, nil, 0},
		{"stored by a rescue", func(f *startertest.Temporal) {
			ends(f, "a", workflows.ResultOverdue, overdue(20*day, new(61.5)), 19*day)
			f.CollectedTask("t", "")
		}, nil, nil, 0},
		{"the generation failed", func(f *startertest.Temporal) {
			ends(f, "a", workflows.GenerationFailed, paid.Facts{TaskID: "t", Credits: new(0.0)}, day)
		}, nil, nil, 0},
		{"a task without a record", func(f *startertest.Temporal) {
			ends(f, "a", workflows.InvalidRequest, paid.Facts{TaskID: "t"}, day)
		}, nil, nil, 0},
		{"the task runs", func(f *startertest.Temporal) {
			f.Job("a").InStage(workflows.StageWaiting).Memo = &paid.Facts{TaskID: "t", PaidOpen: true, SubmittedAt: at(time.Minute)}
		}, nil, nil, 0},
		{"an open job searches for its task", func(f *startertest.Temporal) {
			f.Job("a").InStage(workflows.StageSubmitUnknown).Memo = &paid.Facts{PaidOpen: true, SubmittedAt: at(2 * day)}
		}, nil, nil, 0},
		{"the outcome is unknown", func(f *startertest.Temporal) {
			ends(f, "a", workflows.SubmitUnknown, paid.Facts{PaidOpen: true, Credits: new(0.0)}, 30*day)
		}, nil, []string{"a"}, 0},
		{"written off", func(f *startertest.Temporal) {
			ends(f, "a", workflows.SubmitUnknown, paid.Facts{PaidOpen: true, WrittenOff: true}, day)
		}, nil, []string{"a written-off"}, 0},
		{"the cost is that of the other task", func(f *startertest.Temporal) {
			run := f.AcceptedTask("a", "t", ages(30*day, 30*day, 29*day)).End(statusCompleted, day)
			run.Memo = &paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}, Credits: new(61.5)}
			run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
		}, []string{"a u expired -"}, nil, 0},
		{"an earlier run has the cost", func(f *startertest.Temporal) {
			last := f.Job(jobID)
			last.History.EndFailed(startertest.ApplicationError(workflows.ResultOverdue, "no", paid.Facts{TaskID: "t", PaidOpen: true}))
			last.End(statusFailed, time.Minute)
			endedRun(f, statusFailed, workflows.ResultOverdue, overdue(2*day, new(61.5)))
		}, []string{jobID + " t 288h 61.5"}, nil, 61.5},
		{"fractions", func(f *startertest.Temporal) {
			for i, cost := range []float64{0.1, 0.2} {
				facts := overdue(2*day, &cost)
				facts.TaskID = fmt.Sprint("t", i)
				ends(f, fmt.Sprint("a", i), workflows.DownloadRejected, facts, day)
			}
		}, []string{"a0 t0 288h 0.1", "a1 t1 288h 0.2"}, nil, 0.3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				test.jobs(fake)
				found, err := starter.New(fake, starter.Options{}).PaidUnstored(t.Context(), starter.RiskFilter{Limit: 10})
				require.NoError(t, err)
				var tasks, unknown []string
				expired, unpriced := 0, 0
				for _, task := range found.Tasks {
					left, cost := fmt.Sprintf("%dh", task.HoursLeft), "-"
					if task.Expired {
						require.Zero(t, task.HoursLeft)
						left, expired = "expired", expired+1
					}
					if unpriced++; task.Credits != nil {
						cost, unpriced = fmt.Sprint(*task.Credits), unpriced-1
					}
					tasks = append(tasks, fmt.Sprintf("%s %s %s %s", task.WorkflowID, task.TaskID, left, cost))
				}
				for _, job := range found.Unknown {
					text := job.WorkflowID
					if job.WrittenOff {
						text += " written-off"
					}
					require.Nil(t, job.Credits)
					unknown = append(unknown, text)
				}
				if len(test.tasks) == 1 && test.tasks[0][0] == '*' {
					require.Len(t, found.Tasks, 1)
					// Which of the two jobs is shown depends on the order of the search.
					require.Contains(t, []string{"a", collects}, found.Tasks[0].WorkflowID)
					tasks[0] = "*" + tasks[0][len(found.Tasks[0].WorkflowID):]
				}
				require.Equal(t, test.tasks, tasks)
				require.Equal(t, test.unknown, unknown)
				require.Equal(t, len(tasks), found.Total)
				require.Equal(t, expired, found.Expired)
				require.Equal(t, unpriced, found.Unpriced)
				require.Equal(t, test.credits, found.Credits) //nolint:testifylint // rounded
				if len(unknown) > 0 {
					require.True(t, slices.ContainsFunc(found.Notes, func(note string) bool {
						return len(note) > 13 && note[:13] == "counted apart"
					}), found.Notes)
				}
			})
		})
	}
}

// The sums cover the tasks beyond the limit. The search covers what Temporal has.
func TestPaidUnstoredBeyondTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		for i := range 3 {
			fake.AcceptedTask(fmt.Sprint("job-", i), fmt.Sprint("t-", i), ages(30*day, 30*day, 29*day)).FailYesterday(workflows.ResultOverdue)
		}
		found, err := starter.New(fake, starter.Options{Namespace: "studio"}).PaidUnstored(t.Context(), starter.RiskFilter{Limit: 2})
		require.NoError(t, err)
		require.Len(t, found.Tasks, 2)
		require.Equal(t, []int{3, 3, 3}, []int{found.Total, found.Expired, found.Unpriced})
		require.Len(t, found.Notes, 1)
		require.Regexp(t, `^not shown: jobs that ended more than \d+h ago, which namespace studio deletes$`, found.Notes[0])
		for _, query := range fake.Queries {
			require.NotContains(t, query, "CloseTime")
		}
	})
}
