package terminal_test

import (
	"bytes"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/terminal"
)

// files is the text of a state that is a number.
func files(n int) string { return strconv.Itoa(n) + " files" }

func TestProgressWithABar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		progress := terminal.Drawn(&screen, 80, files, func(n int) (reached, all int64) { return int64(n), 40 })
		progress.Show(10)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Regexp(t, `10 files \[=+>-+\]`, screen.String())
		progress.Close()
		progress.Show(20)
		require.NotContains(t, screen.String(), "20 files")
	})
}

func TestProgressWithoutATotal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		progress := terminal.Drawn(&screen, 80, files, nil)
		progress.Show(10)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Contains(t, screen.String(), " 10 files")
		require.NotContains(t, screen.String(), "=")
		progress.Close()
	})
}

func TestProgressElsewhere(t *testing.T) {
	var out bytes.Buffer
	progress := terminal.NewProgress(&out, files, nil)
	progress.Show(10)
	progress.Close()
	require.Empty(t, out.String())
}
