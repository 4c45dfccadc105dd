package jobs_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/test/startertest"
	"lumaflow/workflows"
)

// listTest is a list of jobs and what it prints.
type listTest struct {
	name     string
	command  jobs.ListCommand
	jobs     func(*startertest.Temporal)
	out      string
	messages string
}

func (test listTest) run(t *testing.T) {
	t.Run(test.name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			fake := startertest.New(t)
			test.jobs(fake)
			streams, out, messages := newStreams("")
			require.NoError(t, test.command.RunOn(t.Context(), starter.New(fake, starter.Options{}), streams))
			require.Equal(t, test.out, out.String())
			require.Equal(t, test.messages, messages.String())
			if test.command.JSON {
				require.True(t, json.Valid(out.Bytes()))
			}
		})
	})
}

func TestListAtRiskCommand(t *testing.T) {
	tests := []listTest{
		{"nothing", jobs.ListCommand{}, func(*startertest.Temporal) {}, "", "no video is at risk: every finished task of these jobs is collected\n"},
		{"nothing, as JSON", jobs.ListCommand{JSON: true}, func(*startertest.Temporal) {}, "[]\n", ""},
		{"some", jobs.ListCommand{}, func(f *startertest.Temporal) {
			f.AcceptedTask("shot-7", taskID, ages(11*day, 11*day, 10*day+time.Minute)).FailYesterday(workflows.DownloadRejected)
			f.AcceptedTask("shot-8", "t8", ages(3*day, 3*day, 0)).InStage(workflows.StageWaiting)
		}, `LEFT  COUNTED FROM      TASK                              JOB     STATE    WHY
95h   finished 10d ago  0123456789abcdef0123456789abcdef  shot-7  failed   DownloadRejected
264h  submitted 3d ago  t8                                shot-8  running  waiting
`, `collect them at no cost: lumaflow rescue 0123456789abcdef0123456789abcdef
an open job continues by itself; see what it waits for with: lumaflow status shot-8
`},
		{"beside the task of a completed job", jobs.ListCommand{}, func(f *startertest.Temporal) {
			run := f.AcceptedTask("shot-7", "t", ages(3*day, 3*day, 2*day)).End(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, day)
			run.Memo = &paid.Facts{TaskID: "t", PaidOpen: true, OtherTasks: []string{"u"}}
			run.History.EndCompleted(workflows.ModifyVideoResult{TaskID: "t"})
		}, `LEFT  COUNTED FROM      TASK  JOB     STATE      WHY
264h  job-start 3d ago  u     shot-7  completed  second task
`, "collect them at no cost: lumaflow rescue u\n"},
		{"too many for one command", jobs.ListCommand{Limit: 6}, func(f *startertest.Temporal) {
			for i := range 7 {
				f.AcceptedTask(fmt.Sprint("shot-", i), fmt.Sprint("t", i), ages(11*day, 11*day, 10*day)).FailYesterday(workflows.ResultOverdue)
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
		{"as JSON", jobs.ListCommand{JSON: true}, func(f *startertest.Temporal) {
			f.AcceptedTask("shot-7", "t", ages(3*day, 3*day, 2*day)).FailYesterday(workflows.ResultOverdue)
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
		test.command.AtRisk = true
		if test.command.Limit == 0 {
			test.command.Limit = 50
		}
		test.run(t)
	}
}

func TestListPaidUnstoredCommand(t *testing.T) {
	some := func(f *startertest.Temporal) {
		for _, task := range []struct {
			id   string
			age  time.Duration
			cost *float64
		}{{"7", 30 * day, new(61.5)}, {"8", 3 * day, new(28.0)}, {"9", 2 * day, nil}} {
			run := f.Job("shot-" + task.id)
			run.Started = time.Now().Add(-task.age)
			run.History.EndFailed(startertest.ApplicationError(workflows.ResultOverdue, "no",
				paid.Facts{TaskID: "t" + task.id, PaidOpen: true, EndedAt: run.Started.Add(time.Hour), Credits: task.cost}))
			run.End(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, 2*time.Hour)
		}
		run := f.Job("lost")
		run.Started = time.Now().Add(-day)
		run.History.EndFailed(startertest.ApplicationError(workflows.SubmitUnknown, "lost", paid.Facts{PaidOpen: true, WrittenOff: true}))
		run.End(enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, time.Hour)
	}
	const (
		retention = "not shown: jobs that ended more than 720h ago, which namespace default deletes\n"
		unknown   = "counted apart: tasks with an unknown id that ended jobs may have paid: lost; look for them at https://kie.ai/logs and collect each at no cost with: lumaflow submit --task-id TASKID\n"
	)
	tests := []listTest{
		{"nothing", jobs.ListCommand{Limit: 50}, func(*startertest.Temporal) {}, "", "no finished task of these jobs is paid and not stored\n" + retention},
		{"nothing, as JSON", jobs.ListCommand{Limit: 50, JSON: true}, func(*startertest.Temporal) {}, `{
  "tasks": [],
  "unknown": [],
  "total": 0,
  "expired": 0,
  "credits": 0,
  "withoutCredits": 0
}
`, retention},
		{"some", jobs.ListCommand{Limit: 50}, some, `LEFT     COUNTED FROM      TASK  JOB     STATE   WHY            CREDITS
expired  finished 29d ago  t7    shot-7  failed  ResultOverdue  61.5
265h     finished 2d ago   t8    shot-8  failed  ResultOverdue  28
289h     finished 47h ago  t9    shot-9  failed  ResultOverdue  -
paid and not stored: 3, of which 1 expired; 89.5 credits; without a cost on record: 1
`, unknown + retention + "collect them at no cost: lumaflow rescue t8 t9\n"},
		{"one of some, as JSON", jobs.ListCommand{Limit: 1, JSON: true}, some, `{
  "tasks": [
    {
      "workflowId": "shot-7",
      "runId": "run-of-shot-7",
      "state": "failed",
      "stage": "failed",
      "taskId": "t7",
      "credits": 61.5,
      "startedAt": "1999-12-02T00:00:00Z",
      "closedAt": "1999-12-02T02:00:00Z",
      "failure": "ResultOverdue",
      "countedFrom": "finished",
      "since": "1999-12-02T01:00:00Z",
      "deletedAt": "1999-12-16T01:00:00Z",
      "hoursLeft": 0,
      "expired": true
    }
  ],
  "unknown": [
    {
      "workflowId": "lost",
      "runId": "run-of-lost",
      "state": "failed",
      "stage": "failed",
      "startedAt": "1999-12-31T00:00:00Z",
      "closedAt": "1999-12-31T01:00:00Z",
      "failure": "SubmitUnknown",
      "countedFrom": "job-start",
      "since": "1999-12-31T00:00:00Z",
      "deletedAt": "2000-01-14T00:00:00Z",
      "hoursLeft": 312,
      "writtenOff": true
    }
  ],
  "total": 3,
  "expired": 1,
  "credits": 89.5,
  "withoutCredits": 1
}
`, "only the oldest 1 of 3 are shown; see more with --limit\n" + unknown + retention},
	}
	for _, test := range tests {
		test.command.PaidUnstored = true
		test.run(t)
	}
}
