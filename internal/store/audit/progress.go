package audit

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
)

// display shows on a terminal how far an audit is; elsewhere it says nothing.
type display struct {
	container *mpb.Progress
	bar       *mpb.Bar
	reached   atomic.Pointer[Progress]
}

func newDisplay(out io.Writer) *display {
	if !command.IsTerminal(out) {
		return &display{}
	}
	return newBar(out)
}

func newBar(out io.Writer, options ...mpb.ContainerOption) *display {
	d := &display{container: mpb.New(append(options, mpb.WithOutput(out))...)}
	d.reached.Store(&Progress{})
	d.bar = d.container.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return d.reached.Load().String() + " " })),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1000(0), "% .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	return d
}

// show is told the progress, by whatever goroutine.
func (d *display) show(reached Progress) {
	if d.bar == nil {
		return
	}
	d.reached.Store(&reached)
	d.bar.SetTotal(reached.AllBytes, false)
	d.bar.SetCurrent(reached.Bytes)
}

// close takes the bar off the screen.
func (d *display) close() {
	if d.bar != nil {
		d.bar.Abort(true)
		d.container.Wait()
	}
}

// String is the progress in a few words.
func (p Progress) String() string {
	words := fmt.Sprintf("%d of %d receipts", p.Receipts, p.AllReceipts)
	if p.AllBytes > 0 {
		words = humanize.Bytes(uint64(p.Bytes)) + " of " + humanize.Bytes(uint64(p.AllBytes))
	}
	if p.Problems > 0 {
		words += ", " + count(p.Problems, "problem")
	}
	return words
}
