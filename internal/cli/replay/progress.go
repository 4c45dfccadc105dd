package replay

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
)

// progress shows the number of replayed jobs on a terminal; elsewhere it prints
// nothing. It has no total: jobs are replayed while they are listed.
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

// update is safe for concurrent use.
func (p *progress) update(counts Counts) { p.counts.Store(&counts) }

// close removes the line from the terminal.
func (p *progress) close() {
	if p.container == nil {
		return
	}
	p.bar.Abort(true)
	p.container.Wait()
}
