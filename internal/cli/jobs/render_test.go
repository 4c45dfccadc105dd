package jobs_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/starter"
	"lumaflow/workflows"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestWriteReport(t *testing.T) {
	tests := []struct {
		name   string
		report starter.Report
		want   string
	}{
		{
			"an open job",
			starter.Report{
				WorkflowID: "shot-7", RunID: "r", State: starter.StateRunning, TaskID: taskID, StartedAt: noon.Add(-10 * time.Minute),
				Status: &workflows.Status{
					Stage: workflows.StageCollecting, TaskID: taskID, Detail: "downloading\x1b[2J", Since: noon.Add(-72 * time.Second),
					SubmitAttempts: 1, Polls: 2, Callbacks: 3, Videos: done.Videos[:1],
					Resolved: &workflows.Resolved{Resolution: workflows.Resolution{Action: "adopt", TaskID: taskID, By: "ann\x1b@studio"}, At: noon.Add(-5 * time.Minute)},
				},
			},
			`job       shot-7
state     running for 10m0s
stage     collecting for 1m12s
task      0123456789abcdef0123456789abcdef
detail    downloading [2J
counts    1 sent, 2 polls, 3 callbacks
resolved  adopt 0123456789abcdef0123456789abcdef by ann @studio, 5m ago
video     file:///videos/luma_result_1.mp4 (12 MB, 9.96s, 1280x720)
`,
		},
		{
			"an open job without an answer",
			starter.Report{
				WorkflowID: "shot-7", State: starter.StateRunning, StartedAt: noon.Add(-time.Hour),
				Pending: []starter.Pending{
					{Activity: "Poll", Attempt: 3, LastFailure: "kie.ai answers\npending", NextAttempt: noon.Add(12 * time.Second)},
					{Activity: "Download", Attempt: 1, Next: "temporal activity unpause"},
				},
				Runs: &starter.RunCount{Count: 3, Charges: 1, UnknownCharges: 1},
				Note: "no worker",
			},
			`job      shot-7
state    running for 1h0m0s
runs     3 runs, 1 charge, 1 more possible with an unknown task
pending  Poll, attempt 3 in 12s; last failure: kie.ai answers pending
pending  Download, attempt 1, paused; continue it with: temporal activity unpause
note     no worker
`,
		},
		{
			"a job that completed",
			starter.Report{
				WorkflowID: "shot-7", State: starter.StateCompleted, TaskID: taskID, Model: "wan/2-7-videoedit", Credits: new(61.5),
				StartedAt: noon.Add(-time.Hour), ClosedAt: noon.Add(-50 * time.Minute),
				Status: &workflows.Status{Stage: workflows.StageDone, Detail: "stored", SubmitAttempts: 1},
				Result: &workflows.ModifyVideoResult{Videos: done.Videos},
			},
			`job      shot-7
state    completed after 10m0s, 50m ago
stage    done
task     0123456789abcdef0123456789abcdef
model    wan/2-7-videoedit
credits  61.5
counts   1 sent, 0 polls, 0 callbacks
video    file:///videos/luma_result_1.mp4 (12 MB, 9.96s, 1280x720)
video    file:///videos/luma_result_2.mp4 (500 kB, 9.96s, 1280x720)
`,
		},
		{
			"a job that failed",
			starter.Report{
				WorkflowID: "shot-7", State: starter.StateFailed, StartedAt: noon.Add(-100 * time.Hour), ClosedAt: noon.Add(-99 * time.Hour),
				Failure: &starter.Failure{Type: "SubmitUnknown", Message: "job shot-7: lost. Next: look at https://kie.ai/logs"},
			},
			`job      shot-7
state    failed after 1h0m0s, 4d ago
failure  SubmitUnknown: job shot-7: lost. Next: look at https://kie.ai/logs
`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, jobs.WriteReport(&out, test.report, noon))
			require.Equal(t, test.want, out.String())
		})
	}
}

func TestWriteEntries(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, jobs.WriteEntries(&out, []starter.Entry{
		{WorkflowID: "shot-7", State: starter.StateRunning, Stage: workflows.StageHeld, StartedAt: noon.Add(-59 * time.Second)},
		{WorkflowID: "shot-8\x1b[31m", State: starter.StateCompleted, Stage: workflows.StageDone, TaskID: taskID, StartedAt: noon.Add(-47 * time.Hour)},
		{WorkflowID: "shot-9", State: starter.StateRunning, StartedAt: noon.Add(time.Second)},
	}, noon))
	require.Equal(t, `JOB          STATE      STAGE  TASK                              AGE
shot-7       running    held   -                                 59s
shot-8 [31m  completed  done   0123456789abcdef0123456789abcdef  47h
shot-9       running    -      -                                 0s
`, out.String())
}
