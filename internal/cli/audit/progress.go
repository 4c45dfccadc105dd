package audit

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
	"lumaflow/internal/store/audit"
)

// display is a progress bar on a terminal; elsewhere it prints nothing.
type display struct {
	container *mpb.Progress
	bar       *mpb.Bar
	reached   atomic.Pointer[audit.Progress]
}

func newDisplay(out io.Writer) *display {
	if !command.IsTerminal(out) {
		return &display{}
	}
	return newBar(out)
}

func newBar(out io.Writer, options ...mpb.ContainerOption) *display {
	d := &display{container: mpb.New(append(options, mpb.WithOutput(out))...)}
	d.reached.Store(&audit.Progress{})
	d.bar = d.container.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return summary(*d.reached.Load()) + " " })),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1000(0), "% .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	return d
}

// update is safe for concurrent use.
func (d *display) update(reached audit.Progress) {
	if d.bar == nil {
		return
	}
	d.reached.Store(&reached)
	d.bar.SetTotal(reached.AllBytes, false)
	d.bar.SetCurrent(reached.Bytes)
}

// close removes the bar from the terminal.
func (d *display) close() {
	if d.bar != nil {
		d.bar.Abort(true)
		d.container.Wait()
	}
}

// summary is the text before the bar.
func summary(p audit.Progress) string {
	words := fmt.Sprintf("%d of %d receipts", p.Receipts, p.AllReceipts)
	if p.AllBytes > 0 {
		words = humanize.Bytes(uint64(p.Bytes)) + " of " + humanize.Bytes(uint64(p.AllBytes))
	}
	if p.Problems > 0 {
		words += ", " + count(p.Problems, "problem")
	}
	return words
}
