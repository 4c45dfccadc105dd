package jobs_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
)

// A log has a line every ten seconds, the first and the last counts in any case, and
// no control characters.
func TestCountsInALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		display := jobs.CountsDisplay(&out, 100)
		for done := range 100 {
			display.Show(jobs.NewCounts(done, 100, fmt.Sprintf("%d of 100 done", done), ""))
			time.Sleep(time.Second / 4)
		}
		display.Show(jobs.NewCounts(100, 100, "99 of 100 done, 1 failed", "n"))
		display.Close()
		require.Equal(t, `0 of 100 done
40 of 100 done
80 of 100 done
99 of 100 done, 1 failed: n
`, out.String())
		time.Sleep(jobs.CountsInterval)

		out.Reset()
		display = jobs.CountsDisplay(&out, 1)
		display.Show(jobs.NewCounts(1, 1, "1 of 1 done", ""))
		time.Sleep(jobs.CountsInterval)
		display.Show(jobs.NewCounts(1, 1, "1 of 1 done", ""))
		display.Close()
		require.Equal(t, "1 of 1 done\n", out.String(), "unchanged counts are logged once")
	})
}

// A terminal has a bar, the counts and a note, and keeps the last state.
func TestCountsOnATerminal(t *testing.T) {
	const width = 60
	for _, test := range []struct {
		name  string
		shown jobs.Counts
		want  []string
	}{
		{"under way", jobs.NewCounts(5, 10, "4 of 10 done, 1 failed, 5 not started yet", "kie.ai holds the job: no credit; nothing is charged, and it continues by itself"), []string{
			"5/10 [=========================>--------------------------]",
			"4 of 10 done, 1 failed, 5 not started yet",
			"kie.ai holds the job: no credit; nothing is charged, and it…",
		}},
		{"done", jobs.NewCounts(10, 10, "10 of 10 done", ""), []string{"10/10 [===================================================]", "10 of 10 done", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				display := jobs.CountsTerminal(&out, width, 10)
				display.Show(test.shown)
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
