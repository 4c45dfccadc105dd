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
)

// A log has a line every ten seconds, the first and the last tally in any case, and
// no control characters.
func TestTallyInALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		display := jobs.BatchDisplay(&out, 100)
		for done := range 100 {
			display.Show(starter.Tally{Total: 100, Completed: done, NotStarted: 100 - done})
			time.Sleep(time.Second / 4)
		}
		display.Show(starter.Tally{Total: 100, Completed: 99, Failed: 1, Note: "n"})
		display.Close()
		require.Equal(t, `0 of 100 done, 100 not started yet
40 of 100 done, 60 not started yet
80 of 100 done, 20 not started yet
99 of 100 done, 1 failed: n
`, out.String())
		time.Sleep(jobs.TallyInterval)

		out.Reset()
		display = jobs.BatchDisplay(&out, 1)
		display.Show(starter.Tally{Total: 1, Completed: 1})
		time.Sleep(jobs.TallyInterval)
		display.Show(starter.Tally{Total: 1, Completed: 1})
		display.Close()
		require.Equal(t, "1 of 1 done\n", out.String(), "an unchanged tally is logged once")
	})
}

// A terminal has a bar, the counts and a note, and keeps the last state.
func TestTallyOnATerminal(t *testing.T) {
	const width = 60
	for _, test := range []struct {
		name  string
		tally starter.Tally
		want  []string
	}{
		{"under way", starter.Tally{Total: 10, Completed: 4, Failed: 1, NotStarted: 5, Note: "kie.ai holds the job: no credit; nothing is charged, and it continues by itself"}, []string{
			"5/10 [=========================>--------------------------]",
			"4 of 10 done, 1 failed, 5 not started yet",
			"kie.ai holds the job: no credit; nothing is charged, and it…",
		}},
		{"done", starter.Tally{Total: 10, Completed: 10}, []string{"10/10 [===================================================]", "10 of 10 done", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				display := jobs.BatchTerminal(&out, width, 10)
				display.Show(test.tally)
				display.Close()
				lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				require.GreaterOrEqual(t, len(lines), 3)
				for i, want := range test.want {
					require.Equal(t, want, strings.TrimSpace(lines[len(lines)-3+i]))
					require.LessOrEqual(t, runewidth.StringWidth(lines[len(lines)-3+i]), width)
				}
			})
		})
	}
}
