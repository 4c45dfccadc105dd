package clip_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
)

func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	const width = 80
	content := append(lasting(time.Second), atom("free", make([]byte, 10_000_000-344-8))...)
	opened := open(t, file(t, strings.Repeat("雪", 20)+".mp4", content))
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		last := func() string {
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			return strings.TrimRight(lines[len(lines)-1], " ")
		}
		begin, failed, end := clip.Bar(&out, opened, width)
		sent := begin()
		sent(5_000_000)
		require.Contains(t, last(), "5.0 MB of 10.0 MB")
		sent(5_000_000)
		require.Contains(t, last(), "10.0 MB of 10.0 MB")
		failed(errors.New("connection reset by peer"))
		begin()
		require.Contains(t, last(), "0.0 b of 10.0 MB")
		require.Contains(t, out.String(), "the upload failed (connection reset by peer), next attempt in 1s\n")
		end(true)
		require.Contains(t, last(), "10.0 MB of 10.0 MB")
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), width)
		}
	})
}

func TestFailedUploadOnATerminal(t *testing.T) {
	t.Parallel()
	opened := open(t, file(t, "a.mp4", lasting(time.Second)))
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		begin, _, end := clip.Bar(&out, opened, 80)
		begin()(100)
		end(false)
		require.Contains(t, out.String(), "100.0 b of 344.0 b")
	})
}
