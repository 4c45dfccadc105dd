package starter

import (
	"context"
	"fmt"

	"lumaflow/internal/command"
)

// RescueCommand collects tasks that exist already, whoever submitted them.
type RescueCommand struct {
	TaskIDs   []string `arg:"" optional:"" name:"task-id" help:"Task ids at kie.ai."`
	IDs       string   `name:"ids" placeholder:"FILE" help:"Read task ids from this file, or from standard input if it is -: one a line, blank lines and # comments are skipped."`
	AtOnce    int      `default:"50" placeholder:"N" help:"How many tasks are collected at the same time (${default})."`
	manyFlags `embed:""`
}

// Help says what a rescue takes and what it costs.
func (RescueCommand) Help() string {
	return `Starts a job for each task that only collects it: nothing is submitted, nothing is paid. It takes any task of
the account, submitted by whatever tool, also one whose callback failed (flag 4), for as long as kie.ai keeps its video:
14 days. A task that still runs is waited for.

The same task id is the same job: what is collected already is not fetched again, what is under way is watched, and
what failed is tried again. Ctrl-C and --timeout end the watching, not the jobs. The exit code is 0 only if all tasks
are collected. A task id that kie.ai does not know fails after two minutes, as a new one may not be known at once.

Examples:
  lumaflow rescue 0123456789abcdef0123456789abcdef
  lumaflow rescue --ids tasks.txt
  lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids - --json`
}

// Run checks all ids before it dials, then collects the tasks.
func (c *RescueCommand) Run(ctx context.Context, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams)
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, Options{TaskQueue: c.TaskQueue}, func(s *Starter) error {
		return c.run(ctx, s, orders, repeated, streams)
	})
}

func (c *RescueCommand) request(ctx context.Context, streams command.Streams) (orders []Order, repeated int, err error) {
	if err := c.check(c.AtOnce); err != nil {
		return nil, 0, err
	}
	return c.orders(ctx, streams.In)
}

func (c *RescueCommand) run(ctx context.Context, s *Starter, orders []Order, repeated int, streams command.Streams) error {
	fmt.Fprintf(streams.Err, "%s to collect; nothing is submitted, nothing is paid\n", counted(len(orders), "task"))
	if repeated > 0 {
		fmt.Fprintf(streams.Err, "task ids that are named more than once count once: %d left out\n", repeated)
	}
	return c.manyFlags.run(ctx, s, orders, ManyOptions{AtOnce: c.AtOnce}, streams, func([]Outcome) string {
		return "; the same command tries again, at no cost"
	})
}
