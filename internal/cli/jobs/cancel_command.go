package jobs

import (
	"context"
	"fmt"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// CancelCommand cancels a job.
type CancelCommand struct {
	ID         string `arg:"" help:"Workflow id of the job."`
	Reason     string `placeholder:"TEXT" help:"Reason, for the history of the job and its status; not encrypted, at most 500 bytes."`
	person     `embed:""`
	connection `embed:""`
}

// Help documents what a cancellation leaves at kie.ai.
func (CancelCommand) Help() string {
	return `The job stops waiting and collects nothing. kie.ai has no cancel: a task that was submitted continues, is paid,
and can be collected later with lumaflow submit --task-id.

` + command.TemporalHelp + `

Examples:
  lumaflow cancel luma-0123456789abcdef0123456789abcdef
  lumaflow cancel shot-7 --reason "wrong clip" --as ann`
}

// Run cancels the job and prints what is left of it.
func (c *CancelCommand) Run(ctx context.Context, streams command.Streams) error {
	by, reason, err := c.request()
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, by, reason, streams) })
}

// request checks the arguments.
func (c *CancelCommand) request() (by, reason string, err error) {
	if err := checkID(c.ID); err != nil {
		return "", "", err
	}
	if reason = oneline.Clean(c.Reason); len(reason) > maxReason {
		return "", "", command.Usagef("--reason has %d bytes: give at most %d", len(reason), maxReason)
	}
	by, err = c.name()
	return by, reason, err
}

func (c *CancelCommand) run(ctx context.Context, s *starter.Starter, by, reason string, streams command.Streams) error {
	cancellation, err := s.Cancel(ctx, c.ID, by, reason)
	if err != nil {
		return err
	}
	id, report := oneline.Clean(c.ID), cancellation.Report
	switch {
	case report.State == starter.StateCanceled:
		message(streams.Err, "%s", endText(report))
	case cancellation.Already:
		return fmt.Errorf("job %s has ended before (%s), there is nothing to cancel; see: lumaflow status %s", id, report.State, id)
	case !report.State.Open():
		return fmt.Errorf("job %s ended by itself (%s) before it could be cancelled; see: lumaflow status %s", id, report.State, id)
	case report.Status == nil:
		message(streams.Err, "job %s ends as soon as a worker handles the cancellation; %s\n%s", id, report.Note, leftovers(report))
	default:
		message(streams.Err, "job %s is being cancelled and ends after its current step; see: lumaflow status %s\n%s", id, id, leftovers(report))
	}
	return nil
}

// leftovers describes the task that an open job will leave at kie.ai.
func leftovers(report starter.Report) string {
	switch {
	case report.TaskID != "":
		return "kie.ai has no cancel: task " + oneline.Clean(report.TaskID) + " continues and is paid; collect it later with: " + paid.CollectCommand(oneline.Clean(report.TaskID))
	case report.Status != nil && report.Status.Stage == workflows.StageHeld:
		return "nothing was submitted, nothing is paid"
	default:
		return "kie.ai has no cancel: a submitted task continues and is paid; find it at https://kie.ai/logs and collect it with: " + paid.CollectCommand("")
	}
}
