package jobs_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// Tables fit 100 columns on a pipe, with ids of any length.
func TestTablesFit100Columns(t *testing.T) {
	location := "s3://studio/" + strings.Repeat("folder/", 20) + "luma_result_" + taskID + "_1.mp4"
	for _, id := range []string{jobID, strings.Repeat("shot-", 199) + "end", strings.Repeat("雪", 300)} {
		report := starter.Report{
			WorkflowID: id, State: starter.StateNotStarted, TaskID: taskID, StartedAt: noon.Add(-72 * time.Hour),
			Result:  &workflows.ModifyVideoResult{Videos: []workflows.Video{{Location: location}}},
			Failure: &starter.Failure{Type: workflows.SubmitUnknown, Message: strings.Repeat("the outcome is unknown ", 20)},
		}
		entry := starter.Entry{WorkflowID: id, State: starter.StateTerminated, Stage: workflows.StageSubmitUnknown, TaskID: taskID, StartedAt: noon.Add(-1000 * time.Hour)}
		for name, write := range map[string]func(io.Writer) error{
			"list": func(out io.Writer) error { return jobs.WriteEntries(out, []starter.Entry{entry}, noon) },
			"list --at-risk": func(out io.Writer) error {
				risk := starter.Risk{Entry: entry, Failure: workflows.DownloadRejected, CountedFrom: starter.FromSubmission, Since: noon.Add(-300 * time.Hour), HoursLeft: 335}
				return jobs.WriteRisks(out, []starter.Risk{risk}, noon)
			},
			"wait": func(out io.Writer) error { return jobs.WriteResults(out, []starter.Report{report}, noon) },
		} {
			var out bytes.Buffer
			require.NoError(t, write(&out))
			require.NotEmpty(t, out.String())
			for line := range strings.Lines(out.String()) {
				require.LessOrEqual(t, runewidth.StringWidth(strings.TrimSuffix(line, "\n")), 100, "%s of %.20s: %s", name, id, line)
			}
			if name == "wait" {
				require.Contains(t, out.String(), "/luma_result_"+taskID+"_1.mp4\n", "the file name is whole")
			}
		}
	}
}

const manyWords = "no worker is polling task queue lumaflow; start one with: " +
	"lumaflow worker --task-queue lumaflow --deployment-name lumaflow --build-id 0123456789abcdef; or try again"

// On a pipe the status and the progress have one line for each fact, of any length.
func TestNoLineBreaksOnAPipe(t *testing.T) {
	long := strings.Repeat("shot-", 30)
	var out bytes.Buffer
	require.NoError(t, jobs.WriteReport(&out, starter.Report{WorkflowID: long, State: starter.StateRunning, StartedAt: noon, TaskID: taskID, Note: manyWords}, noon))
	require.Equal(t, `job    `+long+`
state  running for 0s
task   `+taskID+`
note   `+manyWords+`
`, out.String())
	out.Reset()
	counts := jobs.CountsDisplay(&out, 1)
	counts.Show(jobs.NewCounts(0, 1, "0 of 1 done", manyWords))
	counts.Close()
	jobs.NewDisplay(&out, nil).Show(starter.Progress{WorkflowID: "shot-7", State: starter.StateRunning, Stage: workflows.StageWaiting, Detail: manyWords})
	require.Equal(t, "0 of 1 done: "+manyWords+"\nshot-7 waiting after 0s: "+manyWords+"\n", out.String())
}
