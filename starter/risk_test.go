package starter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// A task is at risk if it has ended, or may have, and no job has stored its video.
func TestAtRisk(t *testing.T) {
	finished := startertest.Ages{Started: 3 * day, Accepted: 3*day - time.Minute, Finished: 2 * day}
	ended := func(errorType string) func(*startertest.Temporal) {
		return func(f *startertest.Temporal) { f.AcceptedTask("job", "t", finished).FailYesterday(errorType) }
	}
	const (
		fromEnd        = "t finished 288h"
		fromSubmission = "t submitted 264h"
	)
	lost := activities.Evidence{Phase: activities.PhaseSending}
	tests := []struct {
		name string
		jobs func(*startertest.Temporal)
		// want are task, start of the count and hours left of the results.
		want []string
	}{
		{"no jobs", func(*startertest.Temporal) {}, nil},
		{"overdue", ended(workflows.ResultOverdue), []string{fromEnd}},
		{"rejected", ended(workflows.DownloadRejected), []string{fromEnd}},
		{"other error", ended("Panic"), []string{fromEnd}},
		{"the generation failed", ended(workflows.GenerationFailed), nil},
		{"completed", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", finished).End(statusCompleted, day).History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
		}, nil},
		{"completed, with a task left behind more than 14 days ago", func(f *startertest.Temporal) {
			run := f.AcceptedTask("job", "t", ages(20*day, 20*day, 19*day)).End(statusCompleted, day)
			run.Memo = &paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}}
			run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
		}, nil},
		{"overdue, end unknown", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", startertest.Ages{Started: 4 * day, Accepted: 3 * day}).FailYesterday(workflows.ResultOverdue)
		}, []string{fromSubmission}},
		{"canceled while the task ran", func(f *startertest.Temporal) {
			run := f.AcceptedTask("job", "t", startertest.Ages{Started: 4 * day, Accepted: 3 * day})
			run.History.EndCanceled("cancelled")
			run.End(statusCanceled, day)
		}, []string{fromSubmission}},
		{"terminated", func(f *startertest.Temporal) {
			run := f.AcceptedTask("job", "t", finished)
			run.History.EndTerminated()
			run.End(statusTerminated, day)
		}, []string{fromEnd}},
		{"canceled before anything was submitted", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.History.EndCanceled("nothing")
			run.End(statusCanceled, time.Minute)
		}, nil},

		{"adopting without an answer of kie.ai", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-2 * day)
			run.History = startertest.NewHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			run.FailYesterday(workflows.ResultOverdue)
		}, []string{"t job-start 288h"}},
		{"adopting, identified only", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-2 * day)
			run.History = startertest.NewHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			run.History.Complete(run.History.Schedule("Identify", activities.IdentifyInput{TaskID: "t"}),
				activities.Identified{TaskID: "t", CreatedAt: time.Now().Add(-3 * day)})
			run.FailYesterday(workflows.ResultOverdue)
		}, []string{fromSubmission}},
		{"adopting a task that does not exist", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-2 * day)
			run.History = startertest.NewHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			run.History.Fail(run.History.Schedule("Identify", activities.IdentifyInput{TaskID: "t"}), startertest.ApplicationError(activities.UnknownTask, "no record"))
			run.FailYesterday(workflows.InvalidRequest)
		}, nil},

		{"submit unknown without a task", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-2 * day)
			run.History.Fail(run.History.Schedule("Submit", ""), startertest.ApplicationError(activities.SubmitUnknown, "lost", lost))
			run.FailYesterday(workflows.SubmitUnknown)
		}, nil},
		{"submit unknown, task in the response", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-4 * day)
			run.History.Fail(run.History.Schedule("Submit", ""), startertest.ApplicationError(activities.SubmitUnknown, "lost",
				activities.Evidence{Phase: activities.PhaseSending, TaskID: "t", At: time.Now().Add(-3 * day)}))
			run.FailYesterday(workflows.SubmitUnknown)
		}, []string{fromSubmission}},
		{"submit unknown, tasks in callbacks, one of another job", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-2 * day)
			run.History.Fail(run.History.Schedule("Submit", ""), startertest.ApplicationError(activities.SubmitUnknown, "lost", lost))
			run.History.Signal("callback", workflows.Callback{TaskID: "t"})
			run.History.Signal("callback", workflows.Callback{TaskID: "foreign"})
			run.History.Signal("callback", "unreadable")
			run.History.Fail(run.History.Schedule("Identify", activities.IdentifyInput{TaskID: "foreign", Own: true}), startertest.ApplicationError(activities.ForeignTask, "not ours"))
			run.FailYesterday(workflows.SubmitUnknown)
		}, []string{"t job-start 288h"}},
		{"submit unknown, then a failed task", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-4 * day)
			run.History.Fail(run.History.Schedule("Submit", ""), startertest.ApplicationError(activities.SubmitUnknown, "lost", lost))
			run.History.Complete(run.History.Schedule("Submit", ""), activities.Submitted{TaskID: "second", SubmittedAt: time.Now().Add(-3 * day)})
			run.History.Fail(run.History.Schedule("Poll", activities.PollInput{TaskID: "second"}), startertest.ApplicationError(activities.GenerationFailed, "moderated"))
			run.History.Signal("evidence", activities.Evidence{Phase: activities.PhaseAccepted, TaskID: "t", At: time.Now().Add(-3 * day)})
			run.FailYesterday(workflows.SubmitUnknown)
		}, []string{"t job-start 240h"}},
		{"callback with another task", func(f *startertest.Temporal) {
			run := f.AcceptedTask("job", "t", finished)
			run.History.Signal("callback", workflows.Callback{TaskID: "other"})
			run.FailYesterday(workflows.ResultOverdue)
		}, []string{fromEnd}},

		{"collecting", func(f *startertest.Temporal) { f.AcceptedTask("job", "t", finished).InStage(workflows.StageCollecting) }, []string{fromEnd}},
		{"collecting, without search attributes", func(f *startertest.Temporal) { f.AcceptedTask("job", "t", finished).RunsActivity("Download") }, []string{fromEnd}},
		{"collecting, record without times", func(f *startertest.Temporal) {
			run := f.Job("job").InStage(workflows.StageCollecting)
			run.Started = run.Started.Add(-20 * time.Minute)
			run.History.Complete(run.History.Schedule("Submit", ""), activities.Submitted{TaskID: "t", SubmittedAt: time.Now().Add(-19 * time.Minute)})
			run.History.Complete(run.History.Schedule("Poll", activities.PollInput{TaskID: "t"}), activities.Finished{TaskID: "t"})
		}, []string{"t submitted 335h"}},
		{"writing its receipt, finished a minute ago", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", ages(20*time.Minute, 19*time.Minute, time.Minute)).RunsActivity("WriteReceipt")
		}, []string{"t finished 335h"}},
		{"waiting for less than an hour", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", ages(30*time.Minute, 29*time.Minute, 0)).InStage(workflows.StageWaiting)
			f.AcceptedTask("unlabelled", "u", ages(30*time.Minute, 29*time.Minute, 0)).RunsActivity("Poll")
		}, nil},
		{"waiting after a hold of a day", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", ages(day, 10*time.Minute, 0)).InStage(workflows.StageWaiting)
		}, nil},
		{"waiting for days", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", ages(4*day, 3*day, 0)).InStage(workflows.StageWaiting)
			f.AcceptedTask("unlabelled", "u", ages(4*day, 3*day, 0)).RunsActivity("Poll")
		}, []string{fromSubmission, "u submitted 264h"}},
		{"submitted by a worker that died", func(f *startertest.Temporal) {
			run := f.Job("job").InStage(workflows.StageSubmitting)
			run.Started = run.Started.Add(-4 * day)
			run.History.TimeOut(run.History.Schedule("Submit", ""), nil,
				activities.Evidence{Phase: activities.PhaseAccepted, TaskID: "t", At: time.Now().Add(-3 * day)})
		}, []string{fromSubmission}},
		{"held", func(f *startertest.Temporal) {
			run := f.Job("job").InStage(workflows.StageHeld)
			run.Started = run.Started.Add(-2 * day)
		}, nil},

		{"collected since by an adopting job", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
			f.CollectedTask("t", "")
		}, nil},
		{"collected since by an adopting job of another id", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
			f.CollectedTask("t", "mine")
		}, nil},
		{"collected since by a later run", func(f *startertest.Temporal) {
			failed := f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
			failed.RunID, failed.Attributes = "run-0", nil
			f.EarlierRuns = append(f.EarlierRuns, failed)
			f.Job("job").End(statusCompleted, time.Minute).History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
		}, nil},
		{"a later run has stored another task", func(f *startertest.Temporal) {
			failed := f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
			failed.RunID = "run-0"
			f.EarlierRuns = append(f.EarlierRuns, failed)
			f.Job("job").End(statusCompleted, time.Minute).History.EndCompleted(workflows.ModifyVideoResult{TaskID: "other"})
		}, []string{fromEnd}},
		{"its adopting job has failed as well", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
			adopting := f.Job(starter.JobID(workflows.ModifyVideoInput{TaskID: "t"}, ""))
			adopting.History = startertest.NewHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			adopting.FailYesterday(workflows.DownloadRejected)
		}, []string{fromEnd}},
		{"deleted by kie.ai", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", ages(15*day, 15*day-time.Hour, 14*day)).FailYesterday(workflows.ResultOverdue)
		}, nil},
		{"the least time left first", func(f *startertest.Temporal) {
			f.AcceptedTask("a", "t", finished).FailYesterday(workflows.ResultOverdue)
			f.AcceptedTask("b", "u", ages(10*day, 10*day, 9*day+time.Minute)).FailYesterday(workflows.ResultOverdue)
		}, []string{"u finished 119h", fromEnd}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				test.jobs(fake)
				risks, err := starter.New(fake, starter.Options{Namespace: "studio"}).AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
				require.NoError(t, err)
				var found []string
				for _, risk := range risks.Found {
					found = append(found, fmt.Sprintf("%s %s %dh", risk.TaskID, risk.CountedFrom, risk.HoursLeft))
					require.Equal(t, risk.Since.Add(14*day), risk.DeletedAt)
				}
				require.Equal(t, test.want, found)
				require.False(t, risks.More)
			})
		})
	}
}

// A task of two jobs is listed once: with the open job and the shorter time.
func TestAtRiskShowsATaskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.AcceptedTask("failed", "t", ages(3*day, 3*day, 2*day)).FailYesterday(workflows.ResultOverdue)
		fake.AcceptedTask("open", "t", ages(day, day, 0)).InStage(workflows.StageWaiting)
		risks, err := starter.New(fake, starter.Options{}).AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, risks.Found, 1)
		require.Equal(t, "open", risks.Found[0].WorkflowID)
		require.Equal(t, starter.FromEnd, risks.Found[0].CountedFrom)
		require.Equal(t, 288, risks.Found[0].HoursLeft)
	})
}

// The job of a rescue, which has not reached its download yet, stands for the ended one.
func TestAtRiskShowsTheCollectingJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.AcceptedTask("failed", "t", ages(3*day, 3*day, 2*day)).FailYesterday(workflows.ResultOverdue)
		rescue := starter.JobID(workflows.ModifyVideoInput{TaskID: "t"}, "")
		fake.Job(rescue).InStage(workflows.StageWaiting)
		risks, err := starter.New(fake, starter.Options{}).AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, risks.Found, 1)
		found := risks.Found[0]
		require.Equal(t, rescue, found.WorkflowID)
		require.Equal(t, starter.StateRunning, found.State)
		require.Equal(t, workflows.StageWaiting, found.Stage)
		require.Equal(t, "t", found.TaskID)
		require.Empty(t, found.Failure)
		require.Equal(t, starter.FromEnd, found.CountedFrom)
	})
}

// Notes describe the gaps of the search.
func TestAtRiskNotes(t *testing.T) {
	const (
		nameless = "not shown: tasks with an unknown id that ended jobs may have paid: "
		find     = "; look for them at https://kie.ai/logs and collect each at no cost with: lumaflow submit --task-id TASKID"
	)
	finished := ages(3*day, 3*day, 2*day)
	tests := []struct {
		name    string
		jobs    func(*startertest.Temporal)
		through func(*startertest.Temporal) starter.Temporal
		found   int
		note    string
	}{
		{"no gaps", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
		}, nil, 1, ""},
		{"short retention", func(f *startertest.Temporal) { f.Retention = day }, nil, 0,
			"not shown: jobs that ended more than 24h ago, which namespace studio deletes; to keep them as long as kie.ai keeps videos: " +
				"temporal operator namespace update --namespace studio --retention 15d"},
		{"no search attributes", func(f *startertest.Temporal) {
			f.NoSearchAttributes = true
			f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
			f.AcceptedTask("other", "u", finished).FailYesterday(workflows.ResultOverdue)
			f.CollectedTask("t", "")
			f.CollectedTask("u", "mine")
		}, nil, 1, "may be collected already: tasks that a job with another id than that of `lumaflow rescue` stored; to find those jobs the namespace needs the search attribute LumaTaskId"},
		{"submit unknown without a task", func(f *startertest.Temporal) {
			run := f.Job("job")
			run.Started = run.Started.Add(-2 * day)
			run.FailYesterday(workflows.SubmitUnknown)
		}, nil, 0, nameless + "job" + find},
		{"ended from outside without a task", func(f *startertest.Temporal) {
			for i := range 22 {
				run := f.Job(fmt.Sprintf("job-%02d", i))
				run.Memo = &paid.Facts{PaidOpen: true, SubmittedAt: run.Started.Add(-day)}
				run.History.Schedule("Submit", map[string]string{"run": run.RunID})
				run.History.Signal("intent", nil)
				run.History.EndTerminated()
				run.End([]enumspb.WorkflowExecutionStatus{statusTerminated, statusTimedOut}[i%2], time.Second)
			}
			f.Runs["job-21"].Status = statusFailed
			f.Runs["job-21"].History.EndFailed(startertest.ApplicationError(workflows.SubmitUnknown, "lost", paid.Facts{PaidOpen: true, WrittenOff: true}))
		}, nil, 0, nameless + "job-00, job-01, job-02, job-03, job-04, job-05, job-06, job-07, job-08, job-09, job-10, job-11, job-12, job-13, job-14, " +
			"job-15, job-16, job-17, job-18, job-19 and 1 more" + find},
		{"completed with an unknown submission left", func(f *startertest.Temporal) {
			run := f.AcceptedTask("job", "t", finished).End(statusCompleted, day)
			run.Memo = &paid.Facts{TaskID: "t", PaidOpen: true, Unresolved: true}
			run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
		}, nil, 0, nameless + "job" + find},
		{"deleted by kie.ai", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", ages(15*day, 15*day, 14*day+time.Hour)).FailYesterday(workflows.ResultOverdue)
		}, nil, 0, "not shown: videos whose 14 days at kie.ai are over: 1"},
		{"a history that can't be read", func(f *startertest.Temporal) {
			f.AcceptedTask("job", "t", finished).FailYesterday(workflows.ResultOverdue)
		},
			func(f *startertest.Temporal) starter.Temporal { return &cutOff{Temporal: f} }, 0, "not shown: jobs that could not be read: 1 (read the history of job: shard lost)"},
		{"histories that take too long", func(f *startertest.Temporal) {
			for i := range 20 {
				f.AcceptedTask(fmt.Sprint("job-", i), fmt.Sprint("t-", i), finished).FailYesterday(workflows.ResultOverdue)
			}
		}, func(f *startertest.Temporal) starter.Temporal { return &slow{Temporal: f} }, 16, "not shown: the youngest jobs, which were not read within 2m0s: 4 of 20"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				test.jobs(fake)
				var through starter.Temporal = fake
				if test.through != nil {
					through = test.through(fake)
				}
				risks, err := starter.New(through, starter.Options{Namespace: "studio"}).AtRisk(t.Context(), starter.RiskFilter{Limit: 100})
				require.NoError(t, err)
				require.Len(t, risks.Found, test.found)
				require.Equal(t, test.note, strings.Join(risks.Notes, "\n"))
			})
		})
	}
}

// slow is a Temporal that takes 50 seconds for a whole history.
type slow struct{ *startertest.Temporal }

func (s *slow) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	if filter == enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT {
		return s.Temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
	}
	select {
	case <-time.After(50 * time.Second):
		return s.Temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
	case <-ctx.Done():
		return startertest.BrokenHistory(serviceerror.NewDeadlineExceeded("too late"))
	}
}

func TestAtRiskThatIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := startertest.New(t)
		fake.AcceptedTask("job", "t", ages(3*day, 3*day, 2*day)).FailYesterday(workflows.ResultOverdue)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := starter.New(&slow{Temporal: fake}, starter.Options{}).AtRisk(ctx, starter.RiskFilter{Limit: 10})
		require.EqualError(t, err, "search for videos at risk: interrupted")
	})
}
