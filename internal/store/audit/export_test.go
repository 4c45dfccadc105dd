package audit

import (
	"context"
	"io"

	"github.com/vbauerster/mpb/v8"

	"lumaflow/internal/command"
)

// RunOn runs the command on a shelf that is open already.
func (c *Command) RunOn(ctx context.Context, shelf Store, streams command.Streams) error {
	return c.run(ctx, shelf, Options{Parallel: c.Parallel, Grace: c.Grace}, streams)
}

// Bar is the display for terminals on something that is none. It returns what
// shows progress and what ends it.
func Bar(out io.Writer, width int) (show func(Progress), end func()) {
	bar := newBar(out, mpb.WithWidth(width), mpb.WithAutoRefresh())
	return bar.show, bar.close
}
