package jobs

import (
	"fmt"
	"io"
	"sync"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// Display shows progress to people. Show is safe for concurrent use; after Close
// it has no effect.
type Display[T any] interface {
	Show(progress T)
	Close()
}

// NewDisplay shows the jobs with these ids on w: on a terminal as one line for
// each job, which is updated in place, else as one log line for each change.
func NewDisplay(w io.Writer, ids []string) Display[starter.Progress] {
	if terminal.Is(w) {
		return newBars(w, ids)
	}
	return &jobLog{out: w, last: map[string]string{}}
}

// jobLog is the display for logs and pipes.
type jobLog struct {
	mu   sync.Mutex
	out  io.Writer
	last map[string]string
}

func (l *jobLog) Show(progress starter.Progress) {
	stage, note := stageText(progress), noteText(progress)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil || l.last[progress.WorkflowID] == stage+note {
		return
	}
	l.last[progress.WorkflowID] = stage + note
	event := fmt.Sprintf("%s %s after %s", oneline.Clean(progress.WorkflowID), stage, seconds(progress.Elapsed))
	message(l.out, "%s", withNote(event, note))
}

func (l *jobLog) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = nil
}

// withNote is an event and a note on it, if there is one.
func withNote(event, note string) string {
	if note == "" {
		return event
	}
	return event + ": " + note
}

// stageText is the stage of an open job, if it is known, else its state.
func stageText(progress starter.Progress) string {
	if progress.State.Open() && progress.Stage != "" {
		return string(progress.Stage)
	}
	return string(progress.State)
}

// noteText is the detail of the stage, or the cause of a missing report.
func noteText(progress starter.Progress) string {
	switch {
	case !progress.State.Open():
		return ""
	case progress.Silence != "":
		return progress.Silence
	default:
		return progress.Detail
	}
}

// downloadText is the progress of the downloads; it is empty before they begin.
func downloadText(progress starter.Progress) string {
	switch {
	case !progress.State.Open() || progress.Stage != workflows.StageCollecting:
		return ""
	case progress.Total > 0:
		return humanize.Bytes(uint64(progress.Bytes)) + " of " + humanize.Bytes(uint64(progress.Total))
	case progress.Bytes > 0:
		return humanize.Bytes(uint64(progress.Bytes))
	default:
		return ""
	}
}
