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

func TestListAtRiskCommand(t *testing.T) {
	tests := []struct {
		name     string
		command  jobs.ListCommand
		jobs     func(*startertest.Temporal)
		out      string
		messages string
	}{
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
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := startertest.New(t)
				test.jobs(fake)
				test.command.AtRisk = true
				if test.command.Limit == 0 {
					test.command.Limit = 50
				}
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
}
