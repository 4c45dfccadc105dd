package starter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
)

const day = 24 * time.Hour

// left is a job whose task was accepted and, if finished, has ended; both say how
// long ago.
type left struct{ started, accepted, finished time.Duration }

func (f *temporal) leaves(id, task string, times left) *run {
	run := f.job(id)
	now := run.started
	run.started = now.Add(-times.started)
	run.history.completes(run.history.schedules("Submit", ""), activities.Submitted{TaskID: task, SubmittedAt: now.Add(-times.accepted)})
	polled := run.history.schedules("Poll", activities.PollInput{TaskID: task})
	if times.finished > 0 {
		run.history.completes(polled, activities.Finished{TaskID: task, CreatedAt: now.Add(-times.accepted), CompletedAt: now.Add(-times.finished)})
	}
	return run
}

// failed ends a run a day ago.
func (r *run) failed(errorType string) *run {
	r.history.endsFailed(application(errorType, "job "+r.id+": no"))
	return r.end(statusFailed, time.Since(r.started)-day)
}

// works is the activity that an open job waits for.
func (r *run) works(activity string) *run {
	r.pending = []*workflowpb.PendingActivityInfo{{ActivityType: &commonpb.ActivityType{Name: activity}}}
	return r
}

func (r *run) inStage(stage workflows.Stage) *run {
	r.attributes = map[string]string{"LumaStage": string(stage)}
	return r
}

// collects has an adopting job store a task.
func (f *temporal) collects(task, key string) *run {
	run := f.job(starter.JobID(workflows.ModifyVideoInput{TaskID: task}, key))
	run.history.endsWell(workflows.ModifyVideoResult{TaskID: task})
	run.attributes = map[string]string{"LumaTaskId": task}
	return run.end(statusCompleted, time.Minute)
}

// What is at risk is a task that has ended, or may have, and whose video no job
// has stored.
func TestAtRisk(t *testing.T) {
	finished := left{started: 3 * day, accepted: 3*day - time.Minute, finished: 2 * day}
	ended := func(errorType string) func(*temporal) {
		return func(f *temporal) { f.leaves("job", "t", finished).failed(errorType) }
	}
	const (
		fromEnd        = "t finished 288h"
		fromSubmission = "t submitted 264h"
	)
	lost := activities.Evidence{Phase: activities.PhaseSending}
	tests := []struct {
		name string
		jobs func(*temporal)
		// want are task, clock and hours left of what is found.
		want []string
	}{
		{"no jobs", func(*temporal) {}, nil},
		{"overdue", ended(workflows.ResultOverdue), []string{fromEnd}},
		{"rejected", ended(workflows.DownloadRejected), []string{fromEnd}},
		{"for no reason of ours", ended("Panic"), []string{fromEnd}},
		{"the generation failed", ended(workflows.GenerationFailed), nil},
		{"completed", func(f *temporal) {
			f.leaves("job", "t", finished).end(statusCompleted, day).history.endsWell(workflows.ModifyVideoResult{TaskID: "t"})
		}, nil},
		{"overdue, and nobody saw the end", func(f *temporal) {
			f.leaves("job", "t", left{started: 4 * day, accepted: 3 * day}).failed(workflows.ResultOverdue)
		}, []string{fromSubmission}},
		{"canceled while the task ran", func(f *temporal) {
			run := f.leaves("job", "t", left{started: 4 * day, accepted: 3 * day})
			run.history.endsCanceled("cancelled")
			run.end(statusCanceled, day)
		}, []string{fromSubmission}},
		{"terminated", func(f *temporal) {
			run := f.leaves("job", "t", finished)
			run.history.endsTerminated()
			run.end(statusTerminated, day)
		}, []string{fromEnd}},
		{"canceled before anything was submitted", func(f *temporal) {
			run := f.job("job")
			run.history.endsCanceled("nothing")
			run.end(statusCanceled, time.Minute)
		}, nil},

		{"adopting, and kie.ai never answered", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-2 * day)
			run.history = newHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			run.failed(workflows.ResultOverdue)
		}, []string{"t job-start 288h"}},
		{"adopting, identified only", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-2 * day)
			run.history = newHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			run.history.completes(run.history.schedules("Identify", activities.IdentifyInput{TaskID: "t"}),
				activities.Identified{TaskID: "t", CreatedAt: time.Now().Add(-3 * day)})
			run.failed(workflows.ResultOverdue)
		}, []string{fromSubmission}},
		{"adopting a task that does not exist", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-2 * day)
			run.history = newHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			run.history.fails(run.history.schedules("Identify", activities.IdentifyInput{TaskID: "t"}), application(activities.UnknownTask, "no record"))
			run.failed(workflows.InvalidRequest)
		}, nil},

		{"nobody knows, and nothing was named", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-2 * day)
			run.history.fails(run.history.schedules("Submit", ""), application(activities.SubmitUnknown, "lost", lost))
			run.failed(workflows.SubmitUnknown)
		}, nil},
		{"nobody knows, but the answer named a task", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-4 * day)
			run.history.fails(run.history.schedules("Submit", ""), application(activities.SubmitUnknown, "lost",
				activities.Evidence{Phase: activities.PhaseSending, TaskID: "t", At: time.Now().Add(-3 * day)}))
			run.failed(workflows.SubmitUnknown)
		}, []string{fromSubmission}},
		{"nobody knows, but callbacks named tasks, one of them another's", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-2 * day)
			run.history.fails(run.history.schedules("Submit", ""), application(activities.SubmitUnknown, "lost", lost))
			run.history.signalled("callback", workflows.Callback{TaskID: "t"})
			run.history.signalled("callback", workflows.Callback{TaskID: "foreign"})
			run.history.signalled("callback", "what is this")
			run.history.fails(run.history.schedules("Identify", activities.IdentifyInput{TaskID: "foreign", Own: true}), application(activities.ForeignTask, "not ours"))
			run.failed(workflows.SubmitUnknown)
		}, []string{"t job-start 288h"}},
		{"an earlier submission was lost and the last one gave no video", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-4 * day)
			run.history.fails(run.history.schedules("Submit", ""), application(activities.SubmitUnknown, "lost", lost))
			run.history.completes(run.history.schedules("Submit", ""), activities.Submitted{TaskID: "second", SubmittedAt: time.Now().Add(-3 * day)})
			run.history.fails(run.history.schedules("Poll", activities.PollInput{TaskID: "second"}), application(activities.GenerationFailed, "moderated"))
			run.history.signalled("evidence", activities.Evidence{Phase: activities.PhaseAccepted, TaskID: "t", At: time.Now().Add(-3 * day)})
			run.failed(workflows.SubmitUnknown)
		}, []string{fromSubmission}},
		{"a stray callback of a job that has its task", func(f *temporal) {
			run := f.leaves("job", "t", finished)
			run.history.signalled("callback", workflows.Callback{TaskID: "stray"})
			run.failed(workflows.ResultOverdue)
		}, []string{fromEnd}},

		{"collecting", func(f *temporal) { f.leaves("job", "t", finished).inStage(workflows.StageCollecting) }, []string{fromEnd}},
		{"collecting, and the namespace does not tell", func(f *temporal) { f.leaves("job", "t", finished).works("Download") }, []string{fromEnd}},
		{"collecting, and the record tells no times", func(f *temporal) {
			run := f.job("job").inStage(workflows.StageCollecting)
			run.started = run.started.Add(-20 * time.Minute)
			run.history.completes(run.history.schedules("Submit", ""), activities.Submitted{TaskID: "t", SubmittedAt: time.Now().Add(-19 * time.Minute)})
			run.history.completes(run.history.schedules("Poll", activities.PollInput{TaskID: "t"}), activities.Finished{TaskID: "t"})
		}, []string{"t submitted 335h"}},
		{"writing its receipt, just begun", func(f *temporal) {
			f.leaves("job", "t", left{20 * time.Minute, 19 * time.Minute, time.Minute}).works("WriteReceipt")
		}, []string{"t finished 335h"}},
		{"waiting as it should", func(f *temporal) {
			f.leaves("job", "t", left{30 * time.Minute, 29 * time.Minute, 0}).inStage(workflows.StageWaiting)
			f.leaves("unlabelled", "u", left{30 * time.Minute, 29 * time.Minute, 0}).works("Poll")
		}, nil},
		{"waiting since it was held for a day", func(f *temporal) {
			f.leaves("job", "t", left{day, 10 * time.Minute, 0}).inStage(workflows.StageWaiting)
		}, nil},
		{"waiting for days, nobody looks", func(f *temporal) {
			f.leaves("job", "t", left{4 * day, 3 * day, 0}).inStage(workflows.StageWaiting)
			f.leaves("unlabelled", "u", left{4 * day, 3 * day, 0}).works("Poll")
		}, []string{fromSubmission, "u submitted 264h"}},
		{"submitted by a worker that died, and no other has come", func(f *temporal) {
			run := f.job("job").inStage(workflows.StageSubmitting)
			run.started = run.started.Add(-4 * day)
			run.history.timesOut(run.history.schedules("Submit", ""), nil,
				activities.Evidence{Phase: activities.PhaseAccepted, TaskID: "t", At: time.Now().Add(-3 * day)})
		}, []string{fromSubmission}},
		{"held", func(f *temporal) {
			run := f.job("job").inStage(workflows.StageHeld)
			run.started = run.started.Add(-2 * day)
		}, nil},

		{"collected since by an adopting job", func(f *temporal) {
			f.leaves("job", "t", finished).failed(workflows.ResultOverdue)
			f.collects("t", "")
		}, nil},
		{"collected since by an adopting job of another id", func(f *temporal) {
			f.leaves("job", "t", finished).failed(workflows.ResultOverdue)
			f.collects("t", "mine")
		}, nil},
		{"collected since by a later run", func(f *temporal) {
			failed := f.leaves("job", "t", finished).failed(workflows.ResultOverdue)
			failed.runID, failed.attributes = "run-0", nil
			f.past = append(f.past, failed)
			f.job("job").end(statusCompleted, time.Minute).history.endsWell(workflows.ModifyVideoResult{TaskID: "t"})
		}, nil},
		{"a later run has stored another task", func(f *temporal) {
			failed := f.leaves("job", "t", finished).failed(workflows.ResultOverdue)
			failed.runID = "run-0"
			f.past = append(f.past, failed)
			f.job("job").end(statusCompleted, time.Minute).history.endsWell(workflows.ModifyVideoResult{TaskID: "other"})
		}, []string{fromEnd}},
		{"an adopting job of it has failed, too", func(f *temporal) {
			f.leaves("job", "t", finished).failed(workflows.ResultOverdue)
			adopting := f.job(starter.JobID(workflows.ModifyVideoInput{TaskID: "t"}, ""))
			adopting.history = newHistory(t, workflows.ModifyVideoInput{TaskID: "t"})
			adopting.failed(workflows.DownloadRejected)
		}, []string{fromEnd}},
		{"its time is over", func(f *temporal) {
			f.leaves("job", "t", left{15 * day, 15*day - time.Hour, 14 * day}).failed(workflows.ResultOverdue)
		}, nil},
		{"the most urgent first", func(f *temporal) {
			f.leaves("a", "t", finished).failed(workflows.ResultOverdue)
			f.leaves("b", "u", left{10 * day, 10 * day, 9*day + time.Minute}).failed(workflows.ResultOverdue)
		}, []string{"u finished 119h", fromEnd}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
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

// One task of two jobs is one video: the open job, and the better clock.
func TestAtRiskShowsATaskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		fake.leaves("failed", "t", left{3 * day, 3 * day, 2 * day}).failed(workflows.ResultOverdue)
		fake.leaves("open", "t", left{2 * day, 2 * day, 0}).inStage(workflows.StageWaiting)
		risks, err := starter.New(fake, starter.Options{}).AtRisk(t.Context(), starter.RiskFilter{Limit: 10})
		require.NoError(t, err)
		require.Len(t, risks.Found, 1)
		require.Equal(t, "open", risks.Found[0].WorkflowID)
		require.Equal(t, starter.FromEnd, risks.Found[0].CountedFrom)
		require.Equal(t, 288, risks.Found[0].HoursLeft)
	})
}

// What the search can't see is said.
func TestAtRiskTellsWhatItCannotSee(t *testing.T) {
	finished := left{3 * day, 3 * day, 2 * day}
	tests := []struct {
		name    string
		jobs    func(*temporal)
		through func(*temporal) starter.Temporal
		found   int
		note    string
	}{
		{"all is seen", func(f *temporal) { f.leaves("job", "t", finished).failed(workflows.ResultOverdue) }, nil, 1, ""},
		{"the namespace forgets", func(f *temporal) { f.retention = day }, nil, 0,
			"not shown: jobs that ended more than 24h ago, namespace studio forgets them; have it remember them as long as kie.ai keeps videos: " +
				"temporal operator namespace update --namespace studio --retention 15d"},
		{"no search attributes", func(f *temporal) {
			f.untraceable = true
			f.leaves("job", "t", finished).failed(workflows.ResultOverdue)
			f.leaves("other", "u", finished).failed(workflows.ResultOverdue)
			f.collects("t", "")
			f.collects("u", "mine")
		}, nil, 1, "shown although it may be collected: a task that was stored by a job of another id than rescue gives it; to find those, the namespace needs the search attribute LumaTaskId"},
		{"a lost submission that names no task", func(f *temporal) {
			run := f.job("job")
			run.started = run.started.Add(-2 * day)
			run.failed(workflows.SubmitUnknown)
		}, nil, 0, "not shown: 1 job that failed with SubmitUnknown without naming a task; whether there is a video, https://kie.ai/logs tells"},
		{"a time that is over", func(f *temporal) {
			f.leaves("job", "t", left{15 * day, 15 * day, 14*day + time.Hour}).failed(workflows.ResultOverdue)
		}, nil, 0, "not shown: 1 video whose 14 days at kie.ai are over"},
		{"a history that can't be read", func(f *temporal) { f.leaves("job", "t", finished).failed(workflows.ResultOverdue) },
			func(f *temporal) starter.Temporal { return &cutOff{temporal: f} }, 0, "not shown: 1 job that could not be read (read the history of job: shard lost)"},
		{"histories that take too long", func(f *temporal) {
			for i := range 20 {
				f.leaves(fmt.Sprint("job-", i), fmt.Sprint("t-", i), finished).failed(workflows.ResultOverdue)
			}
		}, func(f *temporal) starter.Temporal { return &slow{temporal: f} }, 16, "not shown: the youngest 4 of 20 jobs, for which there was no time within 2m0s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
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

// slow is a Temporal that takes 50 seconds for a history.
type slow struct{ *temporal }

func (s *slow) GetWorkflowHistory(ctx context.Context, id, runID string, wait bool, filter enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	select {
	case <-time.After(50 * time.Second):
		return s.temporal.GetWorkflowHistory(ctx, id, runID, wait, filter)
	case <-ctx.Done():
		return &events{loaded: true, err: serviceerror.NewDeadlineExceeded("too late")}
	}
}

func TestAtRiskThatIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newTemporal(t)
		fake.leaves("job", "t", left{3 * day, 3 * day, 2 * day}).failed(workflows.ResultOverdue)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := starter.New(&slow{temporal: fake}, starter.Options{}).AtRisk(ctx, starter.RiskFilter{Limit: 10})
		require.EqualError(t, err, "look for videos at risk: interrupted")
	})
}

func TestListAtRiskCommand(t *testing.T) {
	tests := []struct {
		name    string
		command starter.ListCommand
		jobs    func(*temporal)
		out     string
		said    string
	}{
		{"nothing", starter.ListCommand{}, func(*temporal) {}, "", "no video is at risk: every finished task that is seen here is collected\n"},
		{"nothing, as JSON", starter.ListCommand{JSON: true}, func(*temporal) {}, "[]\n", ""},
		{"some", starter.ListCommand{}, func(f *temporal) {
			f.leaves("shot-7", taskID, left{11 * day, 11 * day, 10*day + time.Minute}).failed(workflows.DownloadRejected)
			f.leaves("shot-8", "t8", left{3 * day, 3 * day, 0}).inStage(workflows.StageWaiting)
		}, `LEFT  COUNTED FROM      TASK                              JOB     STATE    WHY
95h   finished 10d ago  0123456789abcdef0123456789abcdef  shot-7  failed   DownloadRejected
264h  submitted 3d ago  t8                                shot-8  running  waiting
`, `collect them at no cost: lumaflow rescue 0123456789abcdef0123456789abcdef
a job that is open goes on by itself; what is in its way: lumaflow status shot-8
`},
		{"more than one wants to type", starter.ListCommand{Limit: 6}, func(f *temporal) {
			for i := range 7 {
				f.leaves(fmt.Sprint("shot-", i), fmt.Sprint("t", i), left{11 * day, 11 * day, 10 * day}).failed(workflows.ResultOverdue)
			}
		}, `LEFT  COUNTED FROM      TASK  JOB     STATE   WHY
96h   finished 10d ago  t0    shot-0  failed  ResultOverdue
96h   finished 10d ago  t1    shot-1  failed  ResultOverdue
96h   finished 10d ago  t2    shot-2  failed  ResultOverdue
96h   finished 10d ago  t3    shot-3  failed  ResultOverdue
96h   finished 10d ago  t4    shot-4  failed  ResultOverdue
96h   finished 10d ago  t5    shot-5  failed  ResultOverdue
`, `only the 6 with the least time left are shown; see more with --limit
collect them at no cost: lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -
`},
		{"as JSON", starter.ListCommand{JSON: true}, func(f *temporal) {
			f.leaves("shot-7", "t", left{3 * day, 3 * day, 2 * day}).failed(workflows.ResultOverdue)
		}, `[
  {
    "workflowId": "shot-7",
    "runId": "run-of-shot-7",
    "state": "failed",
    "stage": "failed",
    "taskId": "t",
    "startedAt": "1999-12-29T00:00:00Z",
    "closedAt": "1999-12-31T00:00:00Z",
    "failure": "ResultOverdue",
    "countedFrom": "finished",
    "since": "1999-12-30T00:00:00Z",
    "deletedAt": "2000-01-13T00:00:00Z",
    "hoursLeft": 288
  }
]
`, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newTemporal(t)
				test.jobs(fake)
				test.command.AtRisk = true
				if test.command.Limit == 0 {
					test.command.Limit = 50
				}
				streams, out, said := newStreams("")
				require.NoError(t, test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
				require.Equal(t, test.out, out.String())
				require.Equal(t, test.said, said.String())
				if test.command.JSON {
					require.True(t, json.Valid(out.Bytes()))
				}
			})
		})
	}
}
