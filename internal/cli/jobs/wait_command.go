package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
)

// WaitCommand waits until jobs have ended.
type WaitCommand struct {
	IDs        []string      `arg:"" name:"id" help:"Workflow ids of the jobs."`
	Timeout    time.Duration `placeholder:"DURATION" help:"Stop waiting after this time; the jobs continue (default 72h)."`
	JSON       bool          `name:"json" help:"Print one JSON array."`
	connection `embed:""`
}

// Help documents the output and the exit code.
func (WaitCommand) Help() string {
	return `Shows the progress of the jobs on standard error and their ends on standard output. The exit code is 0 only if
all jobs have completed. Ctrl-C and --timeout end the wait, not the jobs.

` + command.TemporalHelp + `

Examples:
  lumaflow wait luma-0123456789abcdef0123456789abcdef
  lumaflow wait shot-7 shot-8 shot-9 --timeout 1h
  lumaflow wait shot-7 --json`
}

// Run waits and prints how the jobs ended.
func (c *WaitCommand) Run(ctx context.Context, streams command.Streams) error {
	for _, id := range c.IDs {
		if err := checkID(id); err != nil {
			return err
		}
	}
	if err := checkTimeout(c.Timeout); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *WaitCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	var ids []string
	for _, id := range c.IDs {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	reports, err := waitFor(ctx, s, ids, c.Timeout, streams)
	switch {
	case len(reports) == 0:
		return err
	case c.JSON:
		return cmp.Or(command.WriteJSON(streams.Out, reports), err)
	default:
		return cmp.Or(writeResults(streams.Out, reports, time.Now()), err)
	}
}

// defaultTimeout bounds the wait for jobs. A job with the default deadlines ends
// earlier, even if kie.ai holds it for a day and its submission needs the whole
// recovery window.
const defaultTimeout = 72 * time.Hour

// maxNamed is the number of jobs that one line of text names.
const maxNamed = 5

// errTimeout is the cause of a wait that ends before the jobs.
var errTimeout = errors.New("timeout")

// waitFor shows the jobs until all have ended. The error names those that did not
// complete; the reports are empty only if the wait could not begin.
func waitFor(ctx context.Context, s *starter.Starter, ids []string, timeout time.Duration, streams command.Streams) ([]starter.Report, error) {
	timeout = cmp.Or(timeout, defaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	display := NewDisplay(streams.Err, ids)
	reports, err := s.Wait(ctx, ids, display.Show)
	display.Close()
	if stop := stopText(ctx, err, "waiting", timeout); stop != "" {
		return reports, unfinishedWait(reports, stop)
	}
	if err != nil {
		return reports, err
	}
	return reports, waitError(reports, streams)
}

// stopText describes the end of an activity by its timeout or by an interrupt. It
// is empty for all other errors.
func stopText(ctx context.Context, err error, activity string, timeout time.Duration) string {
	switch {
	case err == nil || ctx.Err() == nil:
		return ""
	case errors.Is(err, errTimeout):
		return "stopped " + activity + " after " + timeout.String()
	default:
		return "stopped " + activity
	}
}

// unfinishedWait is the error of a wait that ended before its jobs.
func unfinishedWait(reports []starter.Report, stop string) error {
	var open []string
	for _, report := range reports {
		if report.State.Open() {
			open = append(open, oneline.Clean(report.WorkflowID))
		}
	}
	switch {
	case len(open) == 0:
		return errors.New(stop)
	case len(open) == 1:
		return fmt.Errorf("%s: job %s continues by itself; wait for it again with: lumaflow wait %s", stop, open[0], open[0])
	case len(open) <= maxNamed:
		return fmt.Errorf("%s: %d of %d jobs continue by themselves; wait for them again with: lumaflow wait %s", stop, len(open), len(reports), strings.Join(open, " "))
	default:
		return fmt.Errorf("%s: %d of %d jobs continue by themselves; see them with: lumaflow list --open", stop, len(open), len(reports))
	}
}

// waitError is nil if all jobs have completed.
func waitError(reports []starter.Report, streams command.Streams) error {
	var failed []string
	for _, report := range reports {
		if report.State != starter.StateCompleted {
			failed = append(failed, endText(report))
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(reports) == 1:
		return errors.New(failed[0])
	}
	for _, text := range failed {
		message(streams.Err, "%s", text)
	}
	return fmt.Errorf("%d of %d jobs ended without their video", len(failed), len(reports))
}

// endText describes the end of a job without a video. Failures of the job itself
// name it already.
func endText(report starter.Report) string {
	job := "job " + oneline.Clean(report.WorkflowID)
	if report.Failure == nil {
		return job + ": " + string(report.State)
	}
	text := oneline.Clean(report.Failure.Message)
	if strings.HasPrefix(text, job) {
		return text
	}
	return job + ": " + text
}
