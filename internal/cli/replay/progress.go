package replay

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
)

// progress shows on a terminal how many jobs have been replayed; elsewhere it
// says nothing. How many there are nobody knows before the last is listed.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar
	counts    atomic.Pointer[Counts]
}

func newProgress(out io.Writer) *progress {
	p := &progress{}
	p.counts.Store(&Counts{})
	if !command.IsTerminal(out) {
		return p
	}
	p.container = mpb.New(mpb.WithOutput(out))
	p.bar = p.container.New(0, mpb.SpinnerStyle(), mpb.BarWidth(1), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return "replayed " + p.counts.Load().String() })))
	return p
}

// show is told the counts, by whatever goroutine.
func (p *progress) show(counts Counts) { p.counts.Store(&counts) }

// close takes the line off the screen.
func (p *progress) close() {
	if p.container == nil {
		return
	}
	p.bar.Abort(true)
	p.container.Wait()
}
