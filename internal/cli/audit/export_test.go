package audit

import (
	"context"

	"lumaflow/internal/command"
	"lumaflow/internal/store/audit"
)

// RunOn runs the command on an opened store.
func (c *Command) RunOn(ctx context.Context, shelf audit.Store, streams command.Streams) error {
	return c.run(ctx, shelf, audit.Options{Parallel: c.Parallel, Grace: c.Grace}, streams)
}

// Summary is the text before the bar.
func Summary(reached audit.Progress) string { return summary(reached) }
