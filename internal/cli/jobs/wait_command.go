package starter

import (
	"context"
	"slices"
	"time"

	"lumaflow/internal/command"
)

// WaitCommand waits until jobs have ended.
type WaitCommand struct {
	IDs     []string      `arg:"" name:"id" help:"Workflow ids of the jobs."`
	Timeout time.Duration `placeholder:"DURATION" help:"Stop waiting after this time; the jobs go on (default 72h)."`
	JSON    bool          `name:"json" help:"Print one JSON array."`
	logging `embed:""`
}

// Help shows how jobs are waited for.
func (WaitCommand) Help() string {
	return `Shows how the jobs come along on standard error and how they ended on standard output. The exit code is 0 only
if all jobs have completed. Ctrl-C and --timeout end the wait, not the jobs.

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
	return c.connected(ctx, streams, Options{}, func(s *Starter) error { return c.run(ctx, s, streams) })
}

func (c *WaitCommand) check() error {
	for _, id := range c.IDs {
		if err := checkID(id); err != nil {
			return err
		}
	}
	if c.Timeout < 0 {
		return command.Usagef("--timeout is %s: give a duration above 0, such as 30m", c.Timeout)
	}
	return nil
}

func (c *WaitCommand) run(ctx context.Context, s *Starter, streams command.Streams) error {
	var ids []string
	for _, id := range c.IDs {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	waiting := wait{ids: ids, timeout: c.Timeout, streams: streams}
	reports, err := waiting.run(ctx, s)
	if len(reports) == 0 {
		return err
	}
	if c.JSON {
		return printed(command.WriteJSON(streams.Out, reports), err)
	}
	return printed(writeResults(streams.Out, reports, time.Now()), err)
}

// printed is the error of a command that has printed what it has: the failure
// to print, if that failed.
func printed(print, err error) error {
	if print != nil {
		return print
	}
	return err
}
