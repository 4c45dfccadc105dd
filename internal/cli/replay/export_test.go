package replay

import (
	"context"

	"lumaflow/internal/command"
	"lumaflow/worker/replay"
)

// RunWith runs the command against a Temporal that is connected already.
func (c *Command) RunWith(ctx context.Context, through replay.Temporal, options replay.Options, streams command.Streams) error {
	return c.run(ctx, through, options, streams)
}
