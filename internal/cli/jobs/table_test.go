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

// Everything but words of a status fits 100 columns on a pipe, with ids of any
// length.
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
			"batch": func(out io.Writer) error {
				return jobs.WriteOutcomes(out, []starter.Outcome{{Line: 100_000, Report: report}}, noon)
			},
			"batch progress": func(out io.Writer) error {
				display := jobs.BatchDisplay(out, 1)
				display.Show(starter.Tally{Total: 1, Note: report.Failure.Message})
				display.Close()
				return nil
			},
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

// The status has the whole ids and wraps its sentences.
func TestStatusWraps(t *testing.T) {
	long := strings.Repeat("shot-", 30)
	var out bytes.Buffer
	require.NoError(t, jobs.WriteReport(&out, starter.Report{
		WorkflowID: long, State: starter.StateRunning, StartedAt: noon, TaskID: taskID,
		Note: "no worker is polling task queue lumaflow; start one with: lumaflow worker --task-queue lumaflow --deployment-name lumaflow",
	}, noon))
	require.Equal(t, `job    `+long+`
state  running for 0s
task   `+taskID+`
note   no worker is polling task queue lumaflow; start one with: lumaflow worker --task-queue
       lumaflow --deployment-name lumaflow
`, out.String())
}

func TestShorten(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"luma", 4, "luma"},
		{"luma-0123456789", 9, "luma…6789"},
		{"luma-0123456789", 8, "luma…789"},
		{"雪雪雪雪雪雪", 8, "雪雪… 雪"},
	} {
		require.Equal(t, test.want, jobs.Shorten(test.text, test.width))
	}
}
