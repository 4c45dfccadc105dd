package replay

import (
	"context"

	"lumaflow/internal/command"
)

// RunWith runs the command against a Temporal that is connected already.
func (c *Command) RunWith(ctx context.Context, through Temporal, options Options, streams command.Streams) error {
	return c.run(ctx, through, options, streams)
}
