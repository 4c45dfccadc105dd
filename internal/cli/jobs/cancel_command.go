package starter

import (
	"context"
	"fmt"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// CancelCommand cancels a job.
type CancelCommand struct {
	ID      string `arg:"" help:"Workflow id of the job."`
	logging `embed:""`
}

// Help says what a cancellation can do and what it can't.
func (CancelCommand) Help() string {
	return `The job stops waiting and collects nothing. kie.ai has no cancel: a task that was submitted goes on, is paid,
and can be collected later with lumaflow submit --task-id.

Example:
  lumaflow cancel luma-0123456789abcdef0123456789abcdef`
}

// Run cancels the job and says what is left of it.
func (c *CancelCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := checkID(c.ID); err != nil {
		return err
	}
	return c.connected(ctx, streams, Options{}, func(s *Starter) error { return c.run(ctx, s, streams) })
}

func (c *CancelCommand) run(ctx context.Context, s *Starter, streams command.Streams) error {
	outcome, err := s.Cancel(ctx, c.ID)
	if err != nil {
		return err
	}
	id, report := plain(c.ID), outcome.Report
	switch {
	case report.State == StateCanceled:
		_, err = fmt.Fprintln(streams.Err, ending(report))
	case outcome.Already:
		return fmt.Errorf("job %s has ended before (%s), there is nothing to cancel; see: lumaflow status %s", id, report.State, id)
	case !report.State.Open():
		return fmt.Errorf("job %s ended by itself (%s) before it could be cancelled; see: lumaflow status %s", id, report.State, id)
	case report.Status == nil:
		_, err = fmt.Fprintf(streams.Err, "job %s ends as soon as a worker hears that it is cancelled; %s\n%s\n", id, report.Note, leftovers(report))
	default:
		_, err = fmt.Fprintf(streams.Err, "job %s is being cancelled and ends when the work in hand allows; see: lumaflow status %s\n%s\n", id, id, leftovers(report))
	}
	return err
}

// leftovers says what a cancelled job leaves at kie.ai, as far as that is known
// before it has ended.
func leftovers(report Report) string {
	switch {
	case report.TaskID != "":
		return "kie.ai has no cancel: task " + plain(report.TaskID) + " goes on and is paid; collect it later with: lumaflow submit --task-id " + plain(report.TaskID)
	case report.Status != nil && report.Status.Stage == workflows.StageHeld:
		return "nothing was submitted, nothing is paid"
	default:
		return "kie.ai has no cancel: if a task was submitted it goes on and is paid; look at https://kie.ai/logs and collect it with: lumaflow submit --task-id TASKID"
	}
}
