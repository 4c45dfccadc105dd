package starter

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
)

// tallyInterval is how often a log gets a line on many jobs.
const tallyInterval = 10 * time.Second

// tallyDisplay shows people how many jobs come along together. After Close
// nothing is shown any more.
type tallyDisplay interface {
	Show(Tally)
	Close()
}

// newTallyDisplay shows many jobs on w: as one bar and what to say of it if w is
// a terminal, else as a line now and then.
func newTallyDisplay(w io.Writer, total int) tallyDisplay {
	if command.IsTerminal(w) {
		return newTallyBar(w, total)
	}
	return &tallyLines{out: w}
}

// tallyLines is the display for logs and pipes.
type tallyLines struct {
	out  io.Writer
	last string
	next time.Time
	late string
}

func (l *tallyLines) Show(tally Tally) {
	text := tally.String()
	if tally.Note != "" {
		text += ": " + tally.Note
	}
	l.late = text
	if now := time.Now(); text != l.last && !now.Before(l.next) {
		l.next = now.Add(tallyInterval)
		l.flush()
	}
}

func (l *tallyLines) flush() {
	l.last = l.late
	fmt.Fprintln(l.out, l.late)
}

// Close says the last that has not been said.
func (l *tallyLines) Close() {
	if l.late != l.last {
		l.flush()
	}
}

// tallyBar is the display for terminals.
type tallyBar struct {
	container *mpb.Progress
	bar       *mpb.Bar

	mu    sync.Mutex
	tally Tally
}

func newTallyBar(out io.Writer, total int, options ...mpb.ContainerOption) *tallyBar {
	display := &tallyBar{tally: Tally{Total: total, NotStarted: total}}
	display.container = mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(out)}, options...)...)
	count := decor.Any(func(decor.Statistics) string {
		tally := display.now()
		return fmt.Sprintf("%d/%d", tally.ended(), tally.Total)
	})
	display.bar = display.container.New(int64(total), mpb.BarStyle(), mpb.PrependDecorators(count), mpb.BarBtmExtender(
		display.line(func(tally Tally) string { return tally.String() }),
		display.line(func(tally Tally) string { return tally.Note }),
	))
	return display
}

// line is a line of text below the bar.
func (b *tallyBar) line(text func(Tally) string) mpb.BarFiller {
	return mpb.BarFillerFunc(func(out io.Writer, statistics decor.Statistics) error {
		_, err := fmt.Fprintln(out, runewidth.Truncate(text(b.now()), statistics.AvailableWidth, "…"))
		return err
	})
}

func (b *tallyBar) Show(tally Tally) {
	b.mu.Lock()
	b.tally = tally
	b.mu.Unlock()
	b.bar.SetCurrent(int64(tally.ended()))
}

func (b *tallyBar) now() Tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tally
}

// Close leaves the last state on the screen.
func (b *tallyBar) Close() {
	b.bar.Abort(false)
	b.container.Wait()
}
