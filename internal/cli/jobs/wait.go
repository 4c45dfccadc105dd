package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lumaflow/internal/command"
	"lumaflow/starter"
)

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
			open = append(open, plain(report.WorkflowID))
		}
	}
	switch {
	case len(open) == 0:
		return errors.New(stop)
	case len(open) == 1:
		return fmt.Errorf("%s: job %s goes on by itself; wait for it again with: lumaflow wait %s", stop, open[0], open[0])
	case len(open) <= maxNamed:
		return fmt.Errorf("%s: %d of %d jobs go on by themselves; wait for them again with: lumaflow wait %s", stop, len(open), len(reports), strings.Join(open, " "))
	default:
		return fmt.Errorf("%s: %d of %d jobs go on by themselves; see them with: lumaflow list --open", stop, len(open), len(reports))
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
	job := "job " + plain(report.WorkflowID)
	if report.Failure == nil {
		return job + ": " + string(report.State)
	}
	text := plain(report.Failure.Message)
	if strings.HasPrefix(text, job) {
		return text
	}
	return job + ": " + text
}
