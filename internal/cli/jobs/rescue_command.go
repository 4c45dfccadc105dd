package jobs

import (
	"context"

	"lumaflow/internal/command"
	"lumaflow/starter"
)

// RescueCommand collects tasks that exist already, of any submitter.
type RescueCommand struct {
	TaskIDs    []string `arg:"" optional:"" name:"task-id" help:"Task ids at kie.ai."`
	IDs        string   `name:"ids" placeholder:"FILE" help:"Read task ids from this file, or from standard input if it is -: one a line, blank lines and # comments are skipped."`
	AtOnce     int      `default:"50" placeholder:"N" help:"Greatest number of open jobs (${default})."`
	batchFlags `embed:""`
}

// Help documents which tasks can be collected and what it costs.
func (RescueCommand) Help() string {
	return `Starts a job for each task that only collects it: nothing is submitted, nothing is paid. It takes any task of
the account, whichever tool submitted it, also one whose callback failed (flag 4), for as long as kie.ai keeps its
video: 14 days. For a running task the job waits.

The same task id is the same job: a collected task is not fetched again, an open job is watched, and a failed one is
retried. Ctrl-C and --timeout end the watching, not the jobs. The exit code is 0 only if all tasks are collected. An id
without a record at kie.ai fails after two minutes, because the record of a new task may come late.

Examples:
  lumaflow rescue 0123456789abcdef0123456789abcdef
  lumaflow rescue --ids tasks.txt
  lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids - --json`
}

// Run checks all ids before it dials, then collects the tasks.
func (c *RescueCommand) Run(ctx context.Context, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error {
		return c.run(ctx, s, orders, repeated, streams)
	})
}

func (c *RescueCommand) run(ctx context.Context, s *starter.Starter, orders []starter.Order, repeated int, streams command.Streams) error {
	message(streams.Err, "%s to collect; nothing is submitted, nothing is paid", counted(len(orders), "task"))
	if repeated > 0 {
		message(streams.Err, "task ids that are named more than once count once: %d left out", repeated)
	}
	return c.batchFlags.run(ctx, s, orders, starter.BatchOptions{AtOnce: c.AtOnce}, streams, func([]starter.Outcome) string {
		return "; the same command tries again, at no cost"
	})
}
