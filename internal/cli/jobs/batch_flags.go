package starter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"lumaflow/internal/command"
)

// maxTold is how many jobs that failed are told of one by one.
const maxTold = 20

// manyFlags are the flags of the commands that run many jobs.
type manyFlags struct {
	Timeout   time.Duration `placeholder:"DURATION" help:"Stop watching after this time; the jobs go on (default 72h)."`
	JSON      bool          `name:"json" help:"Print one JSON array."`
	TaskQueue string        `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue of the workers."`
	logging   `embed:""`
}

func (f *manyFlags) check(atOnce int) error {
	switch {
	case f.TaskQueue == "":
		return command.Usagef("TASK_QUEUE is empty: leave it unset for the default")
	case f.Timeout < 0:
		return command.Usagef("--timeout is %s: give a duration above 0, such as 12h", f.Timeout)
	case atOnce < 1 || atOnce > maxList:
		return command.Usagef("--at-once is %d: give 1 to %d", atOnce, maxList)
	}
	return nil
}

// run runs the jobs, shows how they come along and prints how they ended. The
// error says in one line if they did not all complete; next adds what can be
// done about it.
func (f *manyFlags) run(ctx context.Context, s *Starter, orders []Order, options ManyOptions, streams command.Streams, next func([]Outcome) string) error {
	if f.Timeout == 0 {
		f.Timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.Timeout, errTimeout)
	defer cancel()
	display := newTallyDisplay(streams.Err, len(orders))
	options.Show = display.Show
	outcomes, err := s.RunMany(ctx, orders, options)
	display.Close()
	switch {
	case errors.Is(err, errTimeout):
		err = goOn(outcomes, "stopped watching after "+f.Timeout.String())
	case ctx.Err() != nil && err != nil:
		err = goOn(outcomes, "stopped watching")
	case err != nil:
		err = &trouble{plain(err.Error()), err}
	default:
		err = verdict(outcomes, streams.Err, next)
	}
	if f.JSON {
		return printed(command.WriteJSON(streams.Out, outcomes), err)
	}
	return printed(writeOutcomes(streams.Out, outcomes, time.Now()), err)
}

// goOn says that the watching is over and the jobs are not.
func goOn(outcomes []Outcome, why string) error {
	var open, unknown, unstarted int
	for _, outcome := range outcomes {
		switch {
		case outcome.State.Open():
			open++
		case outcome.State == StateUnknown && outcome.Failure.Type == FailureNotStarted:
			unknown++
		case outcome.State == StateNotStarted && outcome.Failure == nil:
			unstarted++
		}
	}
	text := fmt.Sprintf("%s; of %s, going on by themselves: %d", why, counted(len(outcomes), "job"), open)
	if unstarted > 0 {
		text += fmt.Sprintf(", not started: %d", unstarted)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", maybe started just now: %d", unknown)
	}
	return errors.New(text + "; the same command takes all of them up again, `lumaflow list --open` shows those under way")
}

// verdict is nil if all jobs have completed. It tells of the first that have
// not.
func verdict(outcomes []Outcome, out io.Writer, next func([]Outcome) string) error {
	lost := 0
	for _, outcome := range outcomes {
		if outcome.State == StateCompleted {
			continue
		}
		if lost++; lost <= maxTold {
			fmt.Fprintln(out, outcome.place()+ending(outcome.Report))
		}
	}
	if lost > maxTold {
		fmt.Fprintf(out, "and %d more\n", lost-maxTold)
	}
	switch {
	case lost == 0:
		return nil
	case len(outcomes) == 1:
		return fmt.Errorf("the job ended without its video%s", next(outcomes))
	default:
		return fmt.Errorf("%d of %d jobs ended without their video%s", lost, len(outcomes), next(outcomes))
	}
}

// place names the line that an outcome is about.
func (o Outcome) place() string {
	if o.Line == 0 {
		return ""
	}
	return fmt.Sprintf("line %d: ", o.Line)
}
