package jobs

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/cli/terminal"
	"lumaflow/starter"
)

// tallyInterval is the least time between two log lines on a batch.
const tallyInterval = 10 * time.Second

// newBatchDisplay shows the counts of a batch on w: on a terminal as one bar with
// two lines of text, else as a log line at intervals.
func newBatchDisplay(w io.Writer, total int) Display[starter.Tally] {
	if terminal.Is(w) {
		return newBatchBar(w, total)
	}
	return &batchLog{out: w}
}

// batchLog is the display for logs and pipes. It is called from one goroutine.
type batchLog struct {
	out io.Writer
	// written is the last tally in the log, latest the last one shown.
	written, latest string
	next            time.Time
}

func (l *batchLog) Show(tally starter.Tally) {
	l.latest = withNote(tally.String(), tally.Note)
	if !time.Now().Before(l.next) {
		l.write()
	}
}

// Close writes the last tally, unless the log has it.
func (l *batchLog) Close() { l.write() }

func (l *batchLog) write() {
	if l.latest != l.written {
		message(l.out, "%s", l.latest)
		l.written, l.next = l.latest, time.Now().Add(tallyInterval)
	}
}

// batchBar is the display for terminals.
type batchBar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	tally     atomic.Pointer[starter.Tally]
}

func newBatchBar(out io.Writer, total int, options ...mpb.ContainerOption) *batchBar {
	display := &batchBar{container: mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(out)}, options...)...)}
	display.tally.Store(&starter.Tally{Total: total, NotStarted: total})
	count := decor.Any(func(decor.Statistics) string {
		tally := *display.tally.Load()
		return fmt.Sprintf("%d/%d", ended(tally), tally.Total)
	})
	display.bar = display.container.New(int64(total), mpb.BarStyle(), mpb.PrependDecorators(count), mpb.BarBtmExtender(
		display.line(starter.Tally.String),
		display.line(func(tally starter.Tally) string { return tally.Note }),
	))
	return display
}

func ended(tally starter.Tally) int { return tally.Completed + tally.Failed }

// line is a line of text below the bar.
func (b *batchBar) line(text func(starter.Tally) string) mpb.BarFiller {
	return mpb.BarFillerFunc(func(out io.Writer, statistics decor.Statistics) error {
		_, err := fmt.Fprintln(out, runewidth.Truncate(text(*b.tally.Load()), statistics.AvailableWidth, "…"))
		return err
	})
}

func (b *batchBar) Show(tally starter.Tally) {
	b.tally.Store(&tally)
	b.bar.SetCurrent(int64(ended(tally)))
}

// Close leaves the last state on the screen.
func (b *batchBar) Close() {
	b.bar.Abort(false)
	b.container.Wait()
}
