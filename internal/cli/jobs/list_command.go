package jobs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// maxList is the greatest number of jobs in one list.
const maxList = 10_000

// ListCommand lists jobs.
type ListCommand struct {
	Open       bool   `xor:"state" help:"Only jobs that have not ended."`
	Closed     bool   `xor:"state" help:"Only jobs that have ended."`
	Failed     bool   `xor:"state" help:"Only jobs that ended without their video, in any way."`
	AtRisk     bool   `xor:"state" help:"Finished tasks whose video no job has stored, by the hours left until kie.ai deletes it."`
	Stage      string `placeholder:"STAGE" help:"Only jobs in this stage, such as submit-unknown. Needs the search attribute LumaStage."`
	Limit      int    `default:"50" help:"Greatest number of jobs, the newest first."`
	TaskQueue  string `env:"TASK_QUEUE" placeholder:"NAME" help:"Only jobs of this task queue. Default: all."`
	JSON       bool   `name:"json" help:"Print one JSON array."`
	connection `embed:""`
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

` + command.TemporalHelp + `

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
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *ListCommand) check() error {
	if c.Limit < 1 || c.Limit > maxList {
		return command.Usagef("--limit is %d: give 1 to %d", c.Limit, maxList)
	}
	if c.AtRisk && c.Stage != "" {
		return command.Usagef("--at-risk covers all stages: leave out --stage")
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
	if c.AtRisk {
		return c.runAtRisk(ctx, s, streams)
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

// runAtRisk prints the videos at risk and the command that collects them.
func (c *ListCommand) runAtRisk(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	risks, err := s.AtRisk(ctx, starter.RiskFilter{TaskQueue: c.TaskQueue, Limit: c.Limit})
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = command.WriteJSON(streams.Out, risks.Found)
	case len(risks.Found) == 0:
		message(streams.Err, "no video is at risk: every finished task of these jobs is collected")
	default:
		err = writeRisks(streams.Out, risks.Found, time.Now())
	}
	if risks.More {
		message(streams.Err, "only the %d with the least time left are shown; see more with --limit", c.Limit)
	}
	for _, note := range risks.Notes {
		message(streams.Err, "%s", note)
	}
	if !c.JSON {
		writeNextCommands(streams.Err, risks.Found)
	}
	return err
}

// writeRisks prints videos at risk for people.
func writeRisks(out io.Writer, risks []starter.Risk, now time.Time) error {
	var rows []terminal.Row
	for _, risk := range risks {
		reason := risk.Failure
		switch {
		case risk.State.Open():
			reason = string(risk.Stage)
		case risk.State == starter.StateCompleted:
			reason = "second task"
		}
		rows = append(rows, terminal.Row{Cells: []string{
			fmt.Sprintf("%dh", risk.HoursLeft), fmt.Sprintf("%s %s ago", risk.CountedFrom, age(now.Sub(risk.Since))),
			oneline.Clean(risk.TaskID), oneline.Clean(risk.WorkflowID), string(risk.State), cmp.Or(oneline.Clean(reason), "-"),
		}})
	}
	return terminal.WriteTable(out, []string{"LEFT", "COUNTED FROM", "TASK", "JOB", "STATE", "WHY"}, rows)
}

// writeNextCommands prints the next command for the videos at risk.
func writeNextCommands(out io.Writer, risks []starter.Risk) {
	var closed []string
	for _, risk := range risks {
		if !risk.State.Open() {
			closed = append(closed, oneline.Clean(risk.TaskID))
		}
	}
	switch {
	case len(closed) > maxNamed:
		message(out, "collect them at no cost: lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -")
	case len(closed) > 0:
		message(out, "collect them at no cost: lumaflow rescue %s", strings.Join(closed, " "))
	}
	if open := slices.IndexFunc(risks, func(r starter.Risk) bool { return r.State.Open() }); open >= 0 {
		message(out, "an open job continues by itself; see what it waits for with: lumaflow status %s", oneline.Clean(risks[open].WorkflowID))
	}
}
