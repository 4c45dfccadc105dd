package clip

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
)

// nameWidth bounds the file name in a line on a terminal, in columns.
const nameWidth = 24

// progress displays an upload.
type progress interface {
	// begin starts an attempt. The attempt calls sent with every increment.
	begin() (sent func(bytes int64))
	// failed reports a failed attempt and the pause before the next.
	failed(err error, pause time.Duration)
	// end leaves the last state on display.
	end(uploaded bool)
}

func newProgress(out io.Writer, clip *Clip) progress {
	if command.IsTerminal(out) {
		return newBar(out, clip)
	}
	return lines{out, clip}
}

// lines is the progress for logs and pipes.
type lines struct {
	out  io.Writer
	clip *Clip
}

func (l lines) begin() func(int64) {
	_, _ = fmt.Fprintf(l.out, "uploading %s (%s)\n", l.clip, humanize.Bytes(uint64(l.clip.size)))
	return func(int64) {}
}

func (l lines) failed(err error, pause time.Duration) {
	_, _ = fmt.Fprintln(l.out, failedLine(err, pause))
}

func (l lines) end(bool) {}

func failedLine(err error, pause time.Duration) string {
	return fmt.Sprintf("the upload failed (%s), next attempt in %v", oneline.Clean(err.Error()), pause.Round(100*time.Millisecond))
}

// bar is the progress for terminals.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	size      int64
}

func newBar(out io.Writer, clip *Clip, options ...mpb.ContainerOption) *bar {
	container := mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(out)}, options...)...)
	// A bar with a total completes as soon as it is full. This one has none at
	// first, because a full bar may have to return to 0 for the next attempt.
	return &bar{container, container.New(0, mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name("uploading "+runewidth.Truncate(filepath.Base(clip.String()), nameWidth, "…")+" ")),
		mpb.AppendDecorators(decor.CountersKiloByte("% .1f of % .1f")),
	), clip.size}
}

func (b *bar) begin() func(int64) {
	b.bar.SetTotal(b.size, false)
	b.bar.SetCurrent(0)
	return b.bar.IncrInt64
}

func (b *bar) failed(err error, pause time.Duration) {
	_, _ = fmt.Fprintln(b.container, failedLine(err, pause))
}

func (b *bar) end(uploaded bool) {
	if uploaded {
		b.bar.SetTotal(b.size, true)
	} else {
		b.bar.Abort(false)
	}
	b.container.Wait()
}
