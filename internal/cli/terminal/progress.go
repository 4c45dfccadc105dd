package terminal

import (
	"io"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// Progress shows the latest state of a command in one line of a terminal. Where out
// is no terminal, it shows nothing.
type Progress[T any] struct {
	latest    atomic.Pointer[T]
	bytes     func(T) (reached, all int64)
	container *mpb.Progress
	bar       *mpb.Bar
}

// NewProgress shows a text and, if bytes is not nil, a bar with the speed and the
// time left; else a spinner. The first state is the zero value of T.
func NewProgress[T any](out io.Writer, text func(T) string, bytes func(T) (reached, all int64)) *Progress[T] {
	if !Is(out) {
		return &Progress[T]{}
	}
	return newProgress(out, text, bytes)
}

func newProgress[T any](out io.Writer, text func(T) string, bytes func(T) (reached, all int64), options ...mpb.ContainerOption) *Progress[T] {
	p := &Progress[T]{bytes: bytes, container: mpb.New(append(options, mpb.WithOutput(out))...)}
	p.latest.Store(new(T))
	line := decor.Any(func(decor.Statistics) string { return text(*p.latest.Load()) })
	if bytes == nil {
		p.bar = p.container.New(0, mpb.SpinnerStyle(), mpb.BarWidth(1), mpb.BarRemoveOnComplete(), mpb.AppendDecorators(line))
	} else {
		p.bar = p.container.AddBar(0, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(line),
			mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1000(0), "% .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	}
	return p
}

// Show is safe for concurrent use.
func (p *Progress[T]) Show(state T) {
	if p.bar == nil {
		return
	}
	p.latest.Store(&state)
	if p.bytes != nil {
		reached, all := p.bytes(state)
		p.bar.SetTotal(all, false)
		p.bar.SetCurrent(reached)
	}
}

// Close removes the line from the terminal. Show has no effect after it.
func (p *Progress[T]) Close() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.container.Wait()
	}
}
