package jobs_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/starter"
	"lumaflow/workflows"
)

func progress(stage workflows.Stage, elapsed time.Duration) starter.Progress {
	return starter.Progress{WorkflowID: jobID, State: starter.StateRunning, Stage: stage, Elapsed: elapsed, Total: -1}
}

// A log has one plain line for each change.
func TestDisplayInALog(t *testing.T) {
	var out bytes.Buffer
	display := jobs.NewDisplay(&out, []string{jobID})
	waiting := progress(workflows.StageWaiting, time.Second)
	waiting.Detail = "kie.ai works"
	for range 3 {
		display.Show(waiting)
		waiting.Elapsed += 2 * time.Second
	}
	waiting.Silence = "no worker answers"
	display.Show(waiting)
	collecting := progress(workflows.StageCollecting, time.Minute)
	for collecting.Bytes < 1000 {
		collecting.Bytes, collecting.Total = collecting.Bytes+100, 1000
		display.Show(collecting)
	}
	display.Show(starter.Progress{WorkflowID: jobID, State: starter.StateCompleted, Elapsed: 90 * time.Second, Total: -1})
	display.Close()
	display.Show(waiting)
	require.Equal(t, jobID+" waiting after 1s: kie.ai works\n"+
		jobID+" waiting after 7s: no worker answers\n"+
		jobID+" collecting after 1m0s\n"+
		jobID+" completed after 1m30s\n", out.String())
}

func TestDisplayOnATerminal(t *testing.T) {
	const width = 80
	tests := []struct {
		name     string
		progress func() starter.Progress
		want     string
	}{
		{
			"nothing known", func() starter.Progress { return progress("", 0) },
			"luma-22e7459…88ba4b27a79 running        1s",
		},
		{
			"waiting", func() starter.Progress {
				p := progress(workflows.StageWaiting, 72*time.Second)
				p.Detail = "kie.ai works on it; it takes 2 to 20 minutes"
				return p
			},
			"luma-22e7459…88ba4b27a79 waiting        1m13s   kie.ai works on it; it takes 2…",
		},
		{
			"wide letters", func() starter.Progress {
				p := progress(workflows.StageHeld, 0)
				p.Detail = strings.Repeat("雪", 30)
				return p
			},
			"luma-22e7459…88ba4b27a79 held           1s      " + strings.Repeat("雪", 15) + "…",
		},
		{
			"silent", func() starter.Progress {
				p := progress(workflows.StageWaiting, 0)
				p.Detail, p.Silence = "kie.ai works", "no worker answers"
				return p
			},
			"luma-22e7459…88ba4b27a79 waiting        1s      no worker answers",
		},
		{
			"half collected", func() starter.Progress {
				p := progress(workflows.StageCollecting, 0)
				p.Bytes, p.Total = 10_000_000, 20_000_000
				return p
			},
			"luma-22e7459…88ba4b27a79 collecting     1s      [=======>-------] 10 MB of 20 MB",
		},
		{
			"size unknown", func() starter.Progress {
				p := progress(workflows.StageCollecting, 0)
				p.Bytes, p.Detail = 10_000_000, "downloading"
				return p
			},
			"luma-22e7459…88ba4b27a79 collecting     1s      downloading 10 MB",
		},
		{
			"ended", func() starter.Progress {
				return starter.Progress{WorkflowID: jobID, State: starter.StateTimedOut, Elapsed: 90 * time.Second, Detail: "gone", Total: -1}
			},
			"luma-22e7459…88ba4b27a79 timed-out      1m30s",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				display := jobs.Terminal(&out, width, jobID)
				display.Show(test.progress())
				time.Sleep(1100 * time.Millisecond)
				synctest.Wait()
				lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
				last := strings.TrimRight(lines[len(lines)-1], " ")
				display.Close()
				require.Equal(t, test.want, last)
				for line := range strings.Lines(out.String()) {
					require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), width)
				}
			})
		})
	}
}

// Several jobs have a line each, in their order, and the last state stays.
func TestDisplayOfSeveralJobsOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		display := jobs.Terminal(&out, 60, "a", "b", "c")
		display.Show(starter.Progress{WorkflowID: "b", State: starter.StateCompleted, Elapsed: time.Minute, Total: -1})
		display.Show(starter.Progress{WorkflowID: "c", State: starter.StateRunning, Stage: workflows.StageHeld, Total: -1})
		display.Show(starter.Progress{WorkflowID: "no job of ours", State: starter.StateRunning})
		display.Close()
		lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		require.GreaterOrEqual(t, len(lines), 3)
		for i, want := range []string{"a running        0s", "b completed      1m0s", "c held           0s"} {
			require.Equal(t, want, strings.TrimRight(lines[len(lines)-3+i], " "))
		}
	})
}
