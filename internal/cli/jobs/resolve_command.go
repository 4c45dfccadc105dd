package jobs

import (
	"context"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// ResolveCommand resolves a submission with an unknown outcome.
type ResolveCommand struct {
	ID         string `arg:"" help:"Workflow id of the job."`
	Adopt      string `placeholder:"TASKID" help:"The submission created this task: continue with it."`
	Resubmit   bool   `help:"Submit again. Pays twice if the first submission was accepted after all."`
	WriteOff   bool   `help:"Give up: the job fails."`
	person     `embed:""`
	connection `embed:""`
}

// Help documents when a job needs a decision.
func (ResolveCommand) Help() string {
	return `A job in stage submit-unknown has sent its one paid request without learning whether kie.ai accepted it. Find the
task at https://kie.ai/logs and decide. Without a decision the job continues by itself when its callback comes or its
recovery window ends.

` + command.TemporalHelp + `

Examples:
  lumaflow resolve luma-0123456789abcdef0123456789abcdef --adopt 0123456789abcdef0123456789abcdef
  lumaflow resolve shot-7 --resubmit
  lumaflow resolve shot-7 --write-off --as ann`
}

// Run sends the decision to the job.
func (c *ResolveCommand) Run(ctx context.Context, streams command.Streams) error {
	resolution, err := c.resolution()
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, resolution, streams) })
}

func (c *ResolveCommand) resolution() (workflows.Resolution, error) {
	if err := checkID(c.ID); err != nil {
		return workflows.Resolution{}, err
	}
	var given []workflows.Resolution
	if c.Adopt != "" {
		given = append(given, workflows.Resolution{Action: workflows.AdoptTask, TaskID: c.Adopt})
	}
	if c.Resubmit {
		given = append(given, workflows.Resolution{Action: workflows.Resubmit})
	}
	if c.WriteOff {
		given = append(given, workflows.Resolution{Action: workflows.WriteOff})
	}
	switch {
	case len(given) != 1:
		return workflows.Resolution{}, command.Usagef("give one decision: --adopt TASKID, --resubmit or --write-off")
	case c.Adopt != "" && (strings.TrimSpace(c.Adopt) != c.Adopt || len(c.Adopt) > maxID):
		return workflows.Resolution{}, command.Usagef("--adopt must be a task id without blanks around it")
	}
	by, err := c.name()
	given[0].By = by
	return given[0], err
}

func (c *ResolveCommand) run(ctx context.Context, s *starter.Starter, resolution workflows.Resolution, streams command.Streams) error {
	if resolution.Action == workflows.AdoptTask {
		message(streams.Err, "the job requests the record of task %s from kie.ai first, for at most a minute", oneline.Clean(resolution.TaskID))
	}
	if _, err := s.Resolve(ctx, c.ID, resolution); err != nil {
		return err
	}
	id := oneline.Clean(c.ID)
	switch resolution.Action {
	case workflows.AdoptTask:
		message(streams.Err, "job %s continues with task %s; wait for it with: lumaflow wait %s", id, oneline.Clean(resolution.TaskID), id)
	case workflows.Resubmit:
		message(streams.Err, "job %s submits again, which pays twice if the first submission was accepted; wait for it with: lumaflow wait %s", id, id)
	case workflows.WriteOff:
		message(streams.Err, "job %s is written off; if its task appears at https://kie.ai/logs, collect it with: %s", id, paid.CollectCommand(""))
	}
	return nil
}
