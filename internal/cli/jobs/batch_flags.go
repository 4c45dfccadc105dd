package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/command"
	"lumaflow/starter"
)

// maxFailures is the number of failed jobs that a batch prints one by one.
const maxFailures = 20

// batchFlags are the flags of the commands that run many jobs.
type batchFlags struct {
	Timeout    time.Duration `placeholder:"DURATION" help:"Stop watching after this time; the jobs continue (default 72h)."`
	JSON       bool          `name:"json" help:"Print one JSON array."`
	TaskQueue  string        `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue of the workers."`
	connection `embed:""`
}

func (f *batchFlags) check(atOnce int) error {
	if atOnce < 1 || atOnce > maxList {
		return command.Usagef("--at-once is %d: give 1 to %d", atOnce, maxList)
	}
	return cmp.Or(checkTaskQueue(f.TaskQueue), checkTimeout(f.Timeout))
}

// run runs the jobs, shows their progress and prints how they ended. The error
// counts the jobs that did not complete; hint adds the next step to it.
func (f *batchFlags) run(ctx context.Context, s *starter.Starter, orders []starter.Order, options starter.BatchOptions, streams command.Streams, hint func([]starter.Outcome) string) error {
	timeout := cmp.Or(f.Timeout, defaultTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	display := newBatchDisplay(streams.Err, len(orders))
	options.Show = display.Show
	outcomes, err := s.RunBatch(ctx, orders, options)
	display.Close()
	if stop := stopText(ctx, err, "watching", timeout); stop != "" {
		err = unfinishedBatch(outcomes, stop)
	} else if err == nil {
		err = batchError(outcomes, streams.Err, hint)
	}
	if f.JSON {
		return cmp.Or(command.WriteJSON(streams.Out, outcomes), err)
	}
	return cmp.Or(writeOutcomes(streams.Out, outcomes, time.Now()), err)
}

// unfinishedBatch is the error of a batch that is no longer watched.
func unfinishedBatch(outcomes []starter.Outcome, stop string) error {
	var open, unknown, notStarted int
	for _, outcome := range outcomes {
		switch {
		case outcome.State.Open():
			open++
		case outcome.State == starter.StateUnknown && outcome.Failure.Type == starter.FailureNotStarted:
			unknown++
		case outcome.State == starter.StateNotStarted && outcome.Failure == nil:
			notStarted++
		}
	}
	text := fmt.Sprintf("%s; of %s, continuing by themselves: %d", stop, english.Plural(len(outcomes), "job", ""), open)
	if notStarted > 0 {
		text += fmt.Sprintf(", not started: %d", notStarted)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", start not confirmed: %d", unknown)
	}
	return errors.New(text + "; the same command resumes the batch, `lumaflow list --open` shows the open jobs")
}

// batchError is nil if all jobs have completed. It prints the first that have
// not.
func batchError(outcomes []starter.Outcome, out io.Writer, hint func([]starter.Outcome) string) error {
	failed := 0
	for _, outcome := range outcomes {
		if outcome.State == starter.StateCompleted {
			continue
		}
		if failed++; failed > maxFailures {
			continue
		}
		text := endText(outcome.Report)
		if outcome.Line > 0 {
			text = fmt.Sprintf("line %d: %s", outcome.Line, text)
		}
		message(out, "%s", text)
	}
	if failed > maxFailures {
		message(out, "and %d more", failed-maxFailures)
	}
	switch {
	case failed == 0:
		return nil
	case len(outcomes) == 1:
		return fmt.Errorf("the job ended without its video%s", hint(outcomes))
	default:
		return fmt.Errorf("%d of %d jobs ended without their video%s", failed, len(outcomes), hint(outcomes))
	}
}
