package starter

import (
	"context"
	"time"

	"lumaflow/internal/command"
)

// StatusCommand shows one job.
type StatusCommand struct {
	ID      string `arg:"" help:"Workflow id of the job."`
	JSON    bool   `name:"json" help:"Print one JSON object."`
	logging `embed:""`
}

// Help shows what status tells.
func (StatusCommand) Help() string {
	return `Asks the job itself, and tells what has failed last and is tried again. If no worker answers, it shows what
Temporal knows: whether the job is open and what it waits for. The state is running, paused, completed, failed,
canceled, terminated or timed-out.

Examples:
  lumaflow status luma-0123456789abcdef0123456789abcdef
  lumaflow status shot-7 --json`
}

// Run prints the job. A job that failed is no failure of the command.
func (c *StatusCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := checkID(c.ID); err != nil {
		return err
	}
	return c.connected(ctx, streams, Options{}, func(s *Starter) error { return c.run(ctx, s, streams) })
}

func (c *StatusCommand) run(ctx context.Context, s *Starter, streams command.Streams) error {
	report, err := s.Status(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return command.WriteJSON(streams.Out, report)
	}
	return writeReport(streams.Out, report, time.Now())
}

func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return command.Usagef("the job's ID must be 1 to %d bytes long", maxID)
	}
	return nil
}
