package starter

import (
	"context"
	"fmt"
	"strings"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// ResolveCommand decides what becomes of a submission with an unknown outcome.
type ResolveCommand struct {
	ID       string `arg:"" help:"Workflow id of the job."`
	Adopt    string `placeholder:"TASKID" help:"The submission created this task: go on with it."`
	Resubmit bool   `help:"Submit again. Pays twice if the first submission was accepted after all."`
	WriteOff bool   `help:"Give up: the job fails."`
	logging  `embed:""`
}

// Help shows how to decide.
func (ResolveCommand) Help() string {
	return `A job in stage submit-unknown has sent its one paid request and does not know whether kie.ai accepted it. Look
for the task at https://kie.ai/logs and decide. Without a decision the job goes on by itself when its callback comes
or its recovery window ends.

Examples:
  lumaflow resolve luma-0123456789abcdef0123456789abcdef --adopt 0123456789abcdef0123456789abcdef
  lumaflow resolve shot-7 --resubmit
  lumaflow resolve shot-7 --write-off`
}

// Run hands the decision to the job.
func (c *ResolveCommand) Run(ctx context.Context, streams command.Streams) error {
	decision, err := c.decision()
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, Options{}, func(s *Starter) error { return c.run(ctx, s, decision, streams) })
}

func (c *ResolveCommand) decision() (workflows.Resolution, error) {
	if err := checkID(c.ID); err != nil {
		return workflows.Resolution{}, err
	}
	var decisions []workflows.Resolution
	if c.Adopt != "" {
		decisions = append(decisions, workflows.Resolution{Action: workflows.AdoptTask, TaskID: c.Adopt})
	}
	if c.Resubmit {
		decisions = append(decisions, workflows.Resolution{Action: workflows.Resubmit})
	}
	if c.WriteOff {
		decisions = append(decisions, workflows.Resolution{Action: workflows.WriteOff})
	}
	switch {
	case len(decisions) != 1:
		return workflows.Resolution{}, command.Usagef("decide one thing: --adopt TASKID, --resubmit or --write-off")
	case c.Adopt != "" && (strings.TrimSpace(c.Adopt) != c.Adopt || len(c.Adopt) > maxID):
		return workflows.Resolution{}, command.Usagef("--adopt must be a task id without blanks around it")
	}
	return decisions[0], nil
}

func (c *ResolveCommand) run(ctx context.Context, s *Starter, decision workflows.Resolution, streams command.Streams) error {
	if decision.Action == workflows.AdoptTask {
		fmt.Fprintf(streams.Err, "the job asks kie.ai about task %s first, for at most a minute\n", plain(decision.TaskID))
	}
	if _, err := s.Resolve(ctx, c.ID, decision); err != nil {
		return err
	}
	id := plain(c.ID)
	var text string
	switch decision.Action {
	case workflows.AdoptTask:
		text = fmt.Sprintf("job %s goes on with task %s; wait for it with: lumaflow wait %s", id, plain(decision.TaskID), id)
	case workflows.Resubmit:
		text = fmt.Sprintf("job %s submits again, which pays twice if the first submission was accepted; wait for it with: lumaflow wait %s", id, id)
	case workflows.WriteOff:
		text = fmt.Sprintf("job %s is written off; if its task turns up at https://kie.ai/logs, collect it with: lumaflow submit --task-id TASKID", id)
	}
	_, err := fmt.Fprintln(streams.Err, text)
	return err
}
