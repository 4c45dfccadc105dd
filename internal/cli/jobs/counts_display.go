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

// countsInterval is the least time between two log lines about many jobs.
const countsInterval = 10 * time.Second

// counts is the progress of many jobs.
type counts struct {
	// ended and total are the numbers of the bar, text describes them, and note an
	// obstacle.
	ended, total int
	text, note   string
}

// countsOf returns the counts of a rescue.
func countsOf(tally starter.Tally) counts {
	return counts{tally.Completed + tally.Failed, tally.Total, tally.String(), tally.Note}
}

// newCountsDisplay shows the counts of many jobs on w: on a terminal as one bar with
// two lines of text, else as a log line at intervals.
func newCountsDisplay(w io.Writer, total int) Display[counts] {
	if terminal.Is(w) {
		return newCountsBar(w, total)
	}
	return &countsLog{out: w}
}

// countsLog is the display for logs and pipes. It is called from one goroutine.
type countsLog struct {
	out io.Writer
	// written is the last line in the log, latest the last one shown.
	written, latest string
	next            time.Time
}

func (l *countsLog) Show(shown counts) {
	l.latest = withNote(shown.text, shown.note)
	if !time.Now().Before(l.next) {
		l.write()
	}
}

// Close writes the last line, unless the log has it.
func (l *countsLog) Close() { l.write() }

func (l *countsLog) write() {
	if l.latest != l.written {
		message(l.out, "%s", l.latest)
		l.written, l.next = l.latest, time.Now().Add(countsInterval)
	}
}

// countsBar is the display for terminals.
type countsBar struct {
	container *mpb.Progress
	bar       *mpb.Bar
	shown     atomic.Pointer[counts]
}

func newCountsBar(out io.Writer, total int, options ...mpb.ContainerOption) *countsBar {
	display := &countsBar{container: mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(out)}, options...)...)}
	display.shown.Store(&counts{total: total})
	count := decor.Any(func(decor.Statistics) string {
		shown := *display.shown.Load()
		return fmt.Sprintf("%d/%d", shown.ended, shown.total)
	})
	display.bar = display.container.New(int64(total), mpb.BarStyle(), mpb.PrependDecorators(count), mpb.BarBtmExtender(
		display.line(func(shown counts) string { return shown.text }),
		display.line(func(shown counts) string { return shown.note }),
	))
	return display
}

// line is a line of text below the bar.
func (b *countsBar) line(text func(counts) string) mpb.BarFiller {
	return mpb.BarFillerFunc(func(out io.Writer, statistics decor.Statistics) error {
		_, err := fmt.Fprintln(out, runewidth.Truncate(text(*b.shown.Load()), statistics.AvailableWidth, "…"))
		return err
	})
}

func (b *countsBar) Show(shown counts) {
	b.shown.Store(&shown)
	b.bar.SetTotal(int64(shown.total), false)
	b.bar.SetCurrent(int64(shown.ended))
}

// Close leaves the last state on the screen.
func (b *countsBar) Close() {
	b.bar.Abort(false)
	b.container.Wait()
}
