package starter

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// Display shows people how jobs come along. Show is safe for concurrent use;
// after Close nothing is shown any more.
type Display interface {
	Show(Progress)
	Close()
}

// NewDisplay shows the jobs of these ids on w: as one line for each, kept up to
// date, if w is a terminal, else as a plain line for each change.
func NewDisplay(w io.Writer, ids []string) Display {
	if command.IsTerminal(w) {
		return newBars(w, ids)
	}
	return newLines(w)
}

// lines is the display for logs and pipes.
type lines struct {
	mu   sync.Mutex
	out  io.Writer
	last map[string]string
}

func newLines(out io.Writer) *lines { return &lines{out: out, last: map[string]string{}} }

func (l *lines) Show(progress Progress) {
	stage, note := progress.stage(), progress.note()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil || l.last[progress.WorkflowID] == stage+note {
		return
	}
	l.last[progress.WorkflowID] = stage + note
	if note != "" {
		note = ": " + note
	}
	fmt.Fprintf(l.out, "%s %s after %s%s\n", plain(progress.WorkflowID), stage, seconds(progress.Elapsed), note)
}

func (l *lines) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = nil
}

// stage is the one word for where a job is.
func (p Progress) stage() string {
	if p.State.Open() && p.Stage != "" {
		return string(p.Stage)
	}
	return string(p.State)
}

// note is what else is worth saying.
func (p Progress) note() string {
	switch {
	case !p.State.Open():
		return ""
	case p.Silence != "":
		return p.Silence
	default:
		return p.Detail
	}
}

// bytes is how far the downloads are; empty if there is nothing to tell.
func (p Progress) bytes() string {
	switch {
	case !p.State.Open() || p.Stage != workflows.StageCollecting:
		return ""
	case p.Total > 0:
		return humanize.Bytes(uint64(p.Bytes)) + " of " + humanize.Bytes(uint64(p.Total))
	case p.Bytes > 0:
		return humanize.Bytes(uint64(p.Bytes))
	default:
		return ""
	}
}

func seconds(d time.Duration) string { return d.Truncate(time.Second).String() }
