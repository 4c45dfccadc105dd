package audit

import (
	"context"
	"io"

	"github.com/vbauerster/mpb/v8"

	"lumaflow/internal/command"
	"lumaflow/internal/store/audit"
)

// RunOn runs the command on an opened store.
func (c *Command) RunOn(ctx context.Context, shelf audit.Store, streams command.Streams) error {
	return c.run(ctx, shelf, audit.Options{Parallel: c.Parallel, Grace: c.Grace}, streams)
}

// Bar draws the progress bar to any writer.
func Bar(out io.Writer, width int) (show func(audit.Progress), end func()) {
	bar := newBar(out, mpb.WithWidth(width), mpb.WithAutoRefresh())
	return bar.update, bar.close
}

// Summary is the text before the bar.
func Summary(reached audit.Progress) string { return summary(reached) }
