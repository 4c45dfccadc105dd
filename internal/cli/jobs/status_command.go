package jobs

import (
	"context"
	"time"

	"lumaflow/internal/command"
	"lumaflow/starter"
)

// StatusCommand shows one job.
type StatusCommand struct {
	ID         string `arg:"" help:"Workflow id of the job."`
	JSON       bool   `name:"json" help:"Print one JSON object."`
	connection `embed:""`
}

// Help documents where the status comes from.
func (StatusCommand) Help() string {
	return `Queries the job, and lists activities that are paused, or have failed and are retried. If no worker answers, it shows
what Temporal has stored: whether the job is open and what it waits for. A job with several runs, after a reset for
example, is shown with the number of its runs and of the tasks that they have paid. The state is running, paused, completed, failed,
canceled, terminated or timed-out.

` + command.TemporalHelp + `

Examples:
  lumaflow status luma-0123456789abcdef0123456789abcdef
  lumaflow status shot-7 --json`
}

// Run prints the job. The failure of a job is no failure of the command.
func (c *StatusCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := checkID(c.ID); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *StatusCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	report, err := s.Status(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return command.WriteJSON(streams.Out, report)
	}
	return writeReport(streams.Out, report, time.Now())
}
