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

// nameWidth is how much of a file's name a line on a terminal has room for.
const nameWidth = 24

// progress shows people an upload.
type progress interface {
	// begin is called for each attempt; what it returns is told every step.
	begin() (moved func(bytes int64))
	// broke tells that an attempt failed and when the next follows.
	broke(err error, pause time.Duration)
	// end leaves the last state on the screen.
	end(uploaded bool)
}

func show(out io.Writer, clip *Clip) progress {
	if command.IsTerminal(out) {
		return newBar(out, clip)
	}
	return lines{out, clip}
}

// lines are for logs and pipes.
type lines struct {
	out  io.Writer
	clip *Clip
}

func (l lines) begin() func(int64) {
	fmt.Fprintf(l.out, "uploading %s (%s)\n", l.clip, humanize.Bytes(uint64(l.clip.size)))
	return func(int64) {}
}

func (l lines) broke(err error, pause time.Duration) { fmt.Fprintln(l.out, again(err, pause)) }

func (l lines) end(bool) {}

func again(err error, pause time.Duration) string {
	return fmt.Sprintf("the upload broke (%s), it begins again in %v", oneline.Clean(err.Error()), pause.Round(100*time.Millisecond))
}

// bar is for terminals.
type bar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	size      int64
}

func newBar(out io.Writer, clip *Clip, options ...mpb.ContainerOption) *bar {
	container := mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(out)}, options...)...)
	// Without a total at first the bar is not complete before it is told so:
	// what was sent may have to be sent again.
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

func (b *bar) broke(err error, pause time.Duration) {
	fmt.Fprintln(b.container, again(err, pause))
}

func (b *bar) end(uploaded bool) {
	if uploaded {
		b.bar.SetTotal(b.size, true)
	} else {
		b.bar.Abort(false)
	}
	b.container.Wait()
}
