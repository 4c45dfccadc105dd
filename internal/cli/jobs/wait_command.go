package jobs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"lumaflow/internal/command"
	"lumaflow/starter"
)

// WaitCommand waits until jobs have ended.
type WaitCommand struct {
	IDs        []string      `arg:"" name:"id" help:"Workflow ids of the jobs."`
	Timeout    time.Duration `placeholder:"DURATION" help:"Stop waiting after this time; the jobs continue (default 72h)."`
	JSON       bool          `name:"json" help:"Print one JSON array."`
	connection `embed:""`
}

// Help documents the output and the exit code.
func (WaitCommand) Help() string {
	return `Shows the progress of the jobs on standard error and their ends on standard output. The exit code is 0 only if
all jobs have completed. Ctrl-C and --timeout end the wait, not the jobs.

Examples:
  lumaflow wait luma-0123456789abcdef0123456789abcdef
  lumaflow wait shot-7 shot-8 shot-9 --timeout 1h
  lumaflow wait shot-7 --json`
}

// Run waits and prints how the jobs ended.
func (c *WaitCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *WaitCommand) check() error {
	for _, id := range c.IDs {
		if err := checkID(id); err != nil {
			return err
		}
	}
	return checkTimeout(c.Timeout)
}

func (c *WaitCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	var ids []string
	for _, id := range c.IDs {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	reports, err := waitFor(ctx, s, ids, c.Timeout, streams)
	switch {
	case len(reports) == 0:
		return err
	case c.JSON:
		return cmp.Or(command.WriteJSON(streams.Out, reports), err)
	default:
		return cmp.Or(writeResults(streams.Out, reports, time.Now()), err)
	}
}
