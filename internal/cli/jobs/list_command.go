package jobs

import (
	"context"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// maxList is the greatest number of jobs in one list.
const maxList = 10_000

// ListCommand lists jobs.
type ListCommand struct {
	Open         bool   `xor:"state" help:"Only jobs that have not ended."`
	Closed       bool   `xor:"state" help:"Only jobs that have ended."`
	Failed       bool   `xor:"state" help:"Only jobs that ended without their video, in any way."`
	AtRisk       bool   `xor:"state" help:"Finished tasks whose video no job has stored, by the hours left until kie.ai deletes it."`
	PaidUnstored bool   `xor:"state" help:"What was paid and never stored, in all jobs that Temporal has, with the sum of its credits."`
	Stage        string `placeholder:"STAGE" help:"Only jobs in this stage, such as submit-unknown. Needs the search attribute LumaStage."`
	Limit        int    `default:"50" help:"Greatest number of jobs, the newest first."`
	TaskQueue    string `env:"TASK_QUEUE" placeholder:"NAME" help:"Only jobs of this task queue. Default: all."`
	JSON         bool   `name:"json" help:"Print JSON: an array or, with --paid-unstored, an object."`
	connection   `embed:""`
}

// Help documents the scope of a list.
func (ListCommand) Help() string {
	return `Lists the jobs of the namespace, whichever client started them. Temporal's lists lag a moment behind the jobs.
A table that is too wide for the terminal, or for 100 columns elsewhere, shortens ids; --json has them whole.
Where kie.ai's records have the cost of tasks, the table has it in credits; a failed task costs 0.

With --at-risk it reads the payments of the jobs that ended without their video in the last 14 days, and of those that
are collecting or whose task was submitted more than an hour ago. It shows the tasks that have ended, or may have, and
that no job has stored, in any of its runs. kie.ai deletes media 14 days after their task ended. Where only the submission is
recorded, the time left is counted from that, and is too short by the duration of the task.

With --paid-unstored it reads the jobs of any age, and shows the expired tasks, too: those whose video kie.ai has deleted.
The last line has the number of tasks and their credits where kie.ai's records have them; --limit shortens the table, not
these sums. Submissions with an unknown outcome, written-off ones included, are counted apart: each may have paid for a task.
The object of --json has them in unknown, and the tasks in tasks.

` + command.TemporalHelp + `

Examples:
  lumaflow list
  lumaflow list --open
  lumaflow list --stage submit-unknown
  lumaflow list --failed --limit 500 --json
  lumaflow list --at-risk
  lumaflow list --paid-unstored
  lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -`
}

// Run prints the jobs.
func (c *ListCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *ListCommand) check() error {
	if c.Limit < 1 || c.Limit > maxList {
		return command.Usagef("--limit is %d: give 1 to %d", c.Limit, maxList)
	}
	if (c.AtRisk || c.PaidUnstored) && c.Stage != "" {
		return command.Usagef("--at-risk and --paid-unstored cover all stages: leave out --stage")
	}
	if c.Stage != "" && !slices.Contains(starter.Stages, workflows.Stage(c.Stage)) {
		var names []string
		for _, stage := range starter.Stages {
			names = append(names, string(stage))
		}
		return command.Usagef("--stage is %.40q: give one of %s", c.Stage, strings.Join(names, ", "))
	}
	return nil
}

func (c *ListCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	switch {
	case c.AtRisk:
		return c.runAtRisk(ctx, s, streams)
	case c.PaidUnstored:
		return c.runPaidUnstored(ctx, s, streams)
	}
	entries, more, err := s.List(ctx, starter.Filter{
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
	case len(entries) == 0 && (c.Open || c.Closed || c.Failed || c.Stage != "" || c.TaskQueue != ""):
		message(streams.Err, "no such jobs; all jobs: lumaflow list")
	case len(entries) == 0:
		message(streams.Err, "no jobs; start one with: lumaflow submit --prompt TEXT --video URL")
	default:
		err = writeEntries(streams.Out, entries, time.Now())
	}
	if more {
		message(streams.Err, "only the newest %d are shown; see more with --limit", c.Limit)
	}
	return err
}
