package jobs

import (
	"io"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
)

const (
	// barID is the width, in columns, of the job id in front of a bar.
	barID = 24
	// stageWidth and timeWidth fit the longest stage and an hour.
	stageWidth = len("submit-unknown") + 1
	timeWidth  = len("59m59s") + 1
)

// bars is the display for terminals: one line for each job, with a bar while
// its videos are downloaded.
type bars struct {
	container *mpb.Progress
	jobs      map[string]*jobBar
}

func newBars(out io.Writer, ids []string, options ...mpb.ContainerOption) *bars {
	options = append([]mpb.ContainerOption{mpb.WithOutput(out), mpb.WithQueueLen(max(len(ids), 64))}, options...)
	display := &bars{container: mpb.New(options...), jobs: map[string]*jobBar{}}
	for _, id := range ids {
		display.jobs[id] = newJobBar(display.container, id)
	}
	return display
}

func (b *bars) Show(progress starter.Progress) {
	if job := b.jobs[progress.WorkflowID]; job != nil {
		job.show(progress)
	}
}

// Close leaves the last state of every line on the screen.
func (b *bars) Close() {
	for _, job := range b.jobs {
		job.bar.Abort(false)
	}
	b.container.Wait()
}

// jobBar is the line of one job.
type jobBar struct {
	bar   *mpb.Bar
	style mpb.BarFiller

	mu        sync.Mutex
	progress  starter.Progress
	updatedAt time.Time
}

func newJobBar(container *mpb.Progress, id string) *jobBar {
	job := &jobBar{
		style:     mpb.BarStyle().Build(),
		progress:  starter.Progress{WorkflowID: id, State: starter.StateRunning, Total: -1},
		updatedAt: time.Now(),
	}
	// Fixed widths keep the columns in place while the texts change.
	column := func(width int, text func(starter.Progress) string) decor.Decorator {
		return decor.Any(func(decor.Statistics) string { return text(job.current()) },
			decor.WC{W: width, C: decor.DSyncSpaceR})
	}
	short := terminal.Shorten(oneline.Clean(id), barID)
	job.bar = container.New(0, job,
		mpb.PrependDecorators(
			column(0, func(starter.Progress) string { return short }),
			column(stageWidth, stageText),
			column(timeWidth, func(p starter.Progress) string { return seconds(p.Elapsed) }),
		),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return downloadText(job.current()) })),
	)
	return job
}

func (j *jobBar) show(progress starter.Progress) {
	j.mu.Lock()
	j.progress, j.updatedAt = progress, time.Now()
	j.mu.Unlock()
	if !progress.State.Open() {
		j.bar.Abort(false)
		return
	}
	j.bar.SetTotal(max(progress.Total, 0), false)
	j.bar.SetCurrent(progress.Bytes)
}

// current is the last progress, with the time since then added for an open job.
func (j *jobBar) current() starter.Progress {
	j.mu.Lock()
	defer j.mu.Unlock()
	progress := j.progress
	if progress.State.Open() {
		progress.Elapsed += time.Since(j.updatedAt)
	}
	return progress
}

// Build and Fill implement mpb's filler: the middle of the line is the bar of a
// download, or the note on an open job.
func (j *jobBar) Build() mpb.BarFiller { return j }

func (j *jobBar) Fill(out io.Writer, statistics decor.Statistics) error {
	progress := j.current()
	if downloadText(progress) != "" && progress.Total > 0 {
		return j.style.Fill(out, statistics)
	}
	_, err := io.WriteString(out, runewidth.Truncate(noteText(progress), statistics.AvailableWidth, "…"))
	return err
}
