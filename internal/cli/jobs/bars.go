package starter

import (
	"io"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	// shortID is how much of a job id a line on a terminal has room for.
	shortID = 24
	// stageWidth and timeWidth fit the longest stage and an hour.
	stageWidth = len("submit-unknown") + 1
	timeWidth  = len("59m59s") + 1
)

// bars is the display for terminals: one line for each job, with a bar while
// its videos are downloaded.
type bars struct {
	container *mpb.Progress
	rows      map[string]*row
}

func newBars(out io.Writer, ids []string, options ...mpb.ContainerOption) *bars {
	options = append([]mpb.ContainerOption{mpb.WithOutput(out), mpb.WithQueueLen(max(len(ids), 64))}, options...)
	display := &bars{container: mpb.New(options...), rows: map[string]*row{}}
	for _, id := range ids {
		display.rows[id] = newRow(display.container, id)
	}
	return display
}

func (b *bars) Show(progress Progress) {
	if row := b.rows[progress.WorkflowID]; row != nil {
		row.show(progress)
	}
}

// Close leaves the last state of every line on the screen.
func (b *bars) Close() {
	for _, row := range b.rows {
		row.bar.Abort(false)
	}
	b.container.Wait()
}

// row is the line of one job.
type row struct {
	bar   *mpb.Bar
	style mpb.BarFiller

	mu       sync.Mutex
	progress Progress
	seen     time.Time
}

func newRow(container *mpb.Progress, id string) *row {
	line := &row{
		style:    mpb.BarStyle().Build(),
		progress: Progress{WorkflowID: id, State: StateRunning, Total: -1},
		seen:     time.Now(),
	}
	// The widths keep the columns still while the texts change.
	column := func(width int, text func(Progress) string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return text(line.now()) },
			decor.WC{W: width, C: decor.DSyncSpaceR})
	}
	short := runewidth.Truncate(plain(id), shortID, "…")
	line.bar = container.New(0, line,
		mpb.PrependDecorators(
			column(0, func(Progress) string { return short }),
			column(stageWidth, Progress.stage),
			column(timeWidth, func(p Progress) string { return seconds(p.Elapsed) }),
		),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return line.now().bytes() })),
	)
	return line
}

func (r *row) show(progress Progress) {
	r.mu.Lock()
	r.progress, r.seen = progress, time.Now()
	r.mu.Unlock()
	if !progress.State.Open() {
		r.bar.Abort(false)
		return
	}
	r.bar.SetTotal(max(progress.Total, 0), false)
	r.bar.SetCurrent(progress.Bytes)
}

// now is the last progress with the clock of an open job running on.
func (r *row) now() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	progress := r.progress
	if progress.State.Open() {
		progress.Elapsed += time.Since(r.seen)
	}
	return progress
}

// Build and Fill make the row what mpb calls a filler: the middle of the line
// is the bar of a download, or says what the job is waiting for.
func (r *row) Build() mpb.BarFiller { return r }

func (r *row) Fill(out io.Writer, statistics decor.Statistics) error {
	progress := r.now()
	if progress.bytes() != "" && progress.Total > 0 {
		return r.style.Fill(out, statistics)
	}
	_, err := io.WriteString(out, runewidth.Truncate(progress.note(), statistics.AvailableWidth, "…"))
	return err
}
