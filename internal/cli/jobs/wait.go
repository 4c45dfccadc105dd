package starter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lumaflow/internal/command"
)

// defaultTimeout is how long the commands wait for jobs. A job with the default
// deadlines takes no longer, even if kie.ai holds it to the last and its
// submission has to be recovered.
const defaultTimeout = 72 * time.Hour

// maxNamed is how many jobs one line of text names.
const maxNamed = 5

// errTimeout is why a wait ended before the jobs.
var errTimeout = errors.New("timeout")

// wait is a person's wait for jobs.
type wait struct {
	ids     []string
	timeout time.Duration
	streams command.Streams
}

// run shows the jobs as they come along. The error says in one line if they did
// not all complete; the reports are there in any case but when it could not
// begin.
func (w wait) run(ctx context.Context, s *Starter) ([]Report, error) {
	if w.timeout == 0 {
		w.timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, w.timeout, errTimeout)
	defer cancel()
	display := NewDisplay(w.streams.Err, w.ids)
	reports, err := s.Wait(ctx, w.ids, display.Show)
	display.Close()
	switch {
	case errors.Is(err, errTimeout):
		return reports, w.goOn(reports, "stopped waiting after "+w.timeout.String())
	case ctx.Err() != nil && err != nil:
		return reports, w.goOn(reports, "stopped waiting")
	case err != nil:
		return reports, &trouble{plain(err.Error()), err}
	default:
		return reports, w.verdict(reports)
	}
}

// goOn says that the wait is over and the jobs are not.
func (w wait) goOn(reports []Report, why string) error {
	var open []string
	for _, report := range reports {
		if report.State.Open() {
			open = append(open, plain(report.WorkflowID))
		}
	}
	switch {
	case len(open) == 0:
		return errors.New(why)
	case len(open) == 1:
		return fmt.Errorf("%s: job %s goes on by itself; wait for it again with: lumaflow wait %s", why, open[0], open[0])
	case len(open) <= maxNamed:
		return fmt.Errorf("%s: %d of %d jobs go on by themselves; wait for them again with: lumaflow wait %s", why, len(open), len(w.ids), strings.Join(open, " "))
	default:
		return fmt.Errorf("%s: %d of %d jobs go on by themselves; see them with: lumaflow list --open", why, len(open), len(w.ids))
	}
}

// verdict is nil if all jobs have completed.
func (w wait) verdict(reports []Report) error {
	var lost []string
	for _, report := range reports {
		if report.State != StateCompleted {
			lost = append(lost, ending(report))
		}
	}
	switch {
	case len(lost) == 0:
		return nil
	case len(reports) == 1:
		return errors.New(lost[0])
	}
	for _, text := range lost {
		fmt.Fprintln(w.streams.Err, text)
	}
	return fmt.Errorf("%d of %d jobs ended without their video", len(lost), len(reports))
}

// ending says how a job ended that has no video. The job's own words name it.
func ending(report Report) string {
	id := plain(report.WorkflowID)
	if report.Failure == nil {
		return "job " + id + ": " + string(report.State)
	}
	text := plain(report.Failure.Message)
	if strings.HasPrefix(text, "job "+id) {
		return text
	}
	return "job " + id + ": " + text
}
