package audit

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/command"
)

// display shows on a terminal how far an audit is; elsewhere it says nothing.
type display struct {
	container *mpb.Progress
	bar       *mpb.Bar
	reached   atomic.Pointer[Progress]
}

func newDisplay(out io.Writer) *display {
	d := &display{}
	d.reached.Store(&Progress{})
	if !command.IsTerminal(out) {
		return d
	}
	d.container = mpb.New(mpb.WithOutput(out))
	d.bar = d.container.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return d.reached.Load().String() + " " })),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1000(0), "% .0f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	return d
}

// show is told the progress, by whatever goroutine.
func (d *display) show(reached Progress) {
	d.reached.Store(&reached)
	if d.bar != nil {
		d.bar.SetTotal(reached.AllBytes, false)
		d.bar.SetCurrent(reached.Bytes)
	}
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
		words = megabytes(p.Bytes) + " of " + megabytes(p.AllBytes)
	}
	if p.Problems > 0 {
		words += ", " + count(p.Problems, "problem")
	}
	return words
}
