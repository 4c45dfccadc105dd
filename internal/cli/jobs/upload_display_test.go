package jobs_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/clip"
	"lumaflow/test/mp4test"
)

// openClip opens a clip of this size and name.
func openClip(t *testing.T, name string, size int) *clip.Clip {
	t.Helper()
	content, err := os.ReadFile("../../media/testdata/clip.mp4")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	padding := mp4test.Atom("free", make([]byte, size-len(content)-8))
	require.NoError(t, os.WriteFile(path, append(content, padding...), 0o600))
	opened, err := clip.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

// A log has one plain line for each attempt and each failure.
func TestUploadInALog(t *testing.T) {
	t.Parallel()
	opened := openClip(t, "a.mp4", 10_000)
	var out bytes.Buffer
	display := jobs.NewUploadDisplay(&out, opened)
	display.Begin()(5_000)
	display.Failed(errors.New("connection reset\nby peer"), 1234*time.Millisecond)
	display.Begin()(10_000)
	display.End(true)
	require.Equal(t, "uploading "+opened.String()+" (10 kB)\n"+
		"the upload failed (connection reset by peer), next attempt in 1.2s\n"+
		"uploading "+opened.String()+" (10 kB)\n", out.String())
}

func TestUploadOnATerminal(t *testing.T) {
	t.Parallel()
	const width = 80
	opened := openClip(t, strings.Repeat("雪", 20)+".mp4", 10_000_000)
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		last := func() string {
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			return strings.TrimRight(lines[len(lines)-1], " ")
		}
		display := jobs.UploadTerminal(&out, width, opened)
		sent := display.Begin()
		sent(5_000_000)
		require.Contains(t, last(), "5.0 MB of 10.0 MB")
		sent(5_000_000)
		require.Contains(t, last(), "10.0 MB of 10.0 MB")
		display.Failed(errors.New("connection reset by peer"), time.Second)
		display.Begin()
		require.Contains(t, last(), "0.0 b of 10.0 MB")
		require.Contains(t, out.String(), "the upload failed (connection reset by peer), next attempt in 1s\n")
		display.End(true)
		require.Contains(t, last(), "10.0 MB of 10.0 MB")
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), width)
		}
	})
}

func TestFailedUploadOnATerminal(t *testing.T) {
	t.Parallel()
	opened := openClip(t, "a.mp4", 10_000)
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		display := jobs.UploadTerminal(&out, 80, opened)
		display.Begin()(100)
		display.End(false)
		require.Contains(t, out.String(), "100.0 b of 10.0 KB")
	})
}
