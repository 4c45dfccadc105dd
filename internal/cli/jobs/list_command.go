package starter

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// maxList is the most jobs that one list shows.
const maxList = 10_000

var stages = []workflows.Stage{
	workflows.StageSubmitting,
	workflows.StageHeld,
	workflows.StageSubmitUnknown,
	workflows.StageWaiting,
	workflows.StageCollecting,
	workflows.StageDone,
	workflows.StageFailed,
}

// ListCommand lists jobs.
type ListCommand struct {
	Open      bool   `xor:"state" help:"Only jobs that have not ended."`
	Closed    bool   `xor:"state" help:"Only jobs that have ended."`
	Failed    bool   `xor:"state" help:"Only jobs that ended without their video, in whatever way."`
	AtRisk    bool   `xor:"state" help:"Finished tasks whose video no job has stored, by the hours left until kie.ai deletes it."`
	Stage     string `placeholder:"STAGE" help:"Only jobs in this stage, such as submit-unknown. Needs the search attribute LumaStage."`
	Limit     int    `default:"50" help:"How many jobs at most, the newest first."`
	TaskQueue string `env:"TASK_QUEUE" placeholder:"NAME" help:"Only jobs of this task queue. Default: all."`
	JSON      bool   `name:"json" help:"Print one JSON array."`
	logging   `embed:""`
}

// Help shows how jobs are listed.
func (ListCommand) Help() string {
	return `Lists the jobs of the namespace, whoever started them. Temporal's lists lag a moment behind the jobs.

With --at-risk it goes through the histories of the jobs that ended without their video in the last 14 days, and of
those that are collecting or whose task was submitted more than an hour ago. It shows the tasks that have ended, or may
have, and that no job has collected since. kie.ai deletes media 14 days after their task ended; where only the
submission is known, the time left is counted from that, and so is too short by as much as the task took.

Examples:
  lumaflow list
  lumaflow list --open
  lumaflow list --stage submit-unknown
  lumaflow list --failed --limit 500 --json
  lumaflow list --at-risk
  lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -`
}

// Run prints the jobs.
func (c *ListCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.connected(ctx, streams, Options{}, func(s *Starter) error { return c.run(ctx, s, streams) })
}

func (c *ListCommand) check() error {
	if c.Limit < 1 || c.Limit > maxList {
		return command.Usagef("--limit is %d: give 1 to %d", c.Limit, maxList)
	}
	if c.AtRisk && c.Stage != "" {
		return command.Usagef("--at-risk looks at jobs in all stages: leave out --stage")
	}
	if c.Stage != "" && !slices.Contains(stages, workflows.Stage(c.Stage)) {
		return command.Usagef("--stage is %.40q: give one of %s", c.Stage, joined(stages))
	}
	return nil
}

func (c *ListCommand) run(ctx context.Context, s *Starter, streams command.Streams) error {
	if c.AtRisk {
		return c.runAtRisk(ctx, s, streams)
	}
	entries, more, err := s.List(ctx, Filter{
		Open:      c.Open,
		Closed:    c.Closed,
		Failed:    c.Failed,
		Stage:     workflows.Stage(c.Stage),
		TaskQueue: c.TaskQueue,
		Limit:     c.Limit,
	})
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = command.WriteJSON(streams.Out, entries)
	case len(entries) == 0 && c.selects():
		fmt.Fprintln(streams.Err, "no such jobs; all jobs: lumaflow list")
	case len(entries) == 0:
		fmt.Fprintln(streams.Err, "no jobs; start one with: lumaflow submit --prompt TEXT --video URL")
	default:
		err = writeEntries(streams.Out, entries, time.Now())
	}
	if more {
		fmt.Fprintf(streams.Err, "only the newest %d are shown; see more with --limit\n", c.Limit)
	}
	return err
}

func (c *ListCommand) selects() bool {
	return c.Open || c.Closed || c.Failed || c.Stage != "" || c.TaskQueue != ""
}

func joined(stages []workflows.Stage) string {
	text := ""
	for i, stage := range stages {
		if i > 0 {
			text += ", "
		}
		text += string(stage)
	}
	return text
}
