// Package replay is the command replay-check.
package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/contrib/envconfig"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/internal/temporal/dial"
	"lumaflow/worker/replay"
)

// maxClosed bounds --closed.
const maxClosed = 1_000_000

// Command replays the jobs of a running namespace.
type Command struct {
	TaskQueue       string `env:"TASK_QUEUE" placeholder:"NAME" help:"Only jobs of this task queue. Default: all."`
	Closed          int    `default:"200" help:"How many jobs that have ended are replayed besides the open ones, the latest first."`
	JSON            bool   `name:"json" help:"Print one JSON object."`
	command.Logging `embed:"" set:"log_level=warn"`

	// Env reads Temporal's own settings; nil means the process environment.
	Env envconfig.EnvLookup `kong:"-"`
}

// Help describes the check.
func (Command) Help() string {
	return `Run it with a new build before you deploy it. Workers of the new build take over the open jobs; a job whose
history they can't replay gets stuck. This replays the history of every open job, and of the latest closed ones, against
the workflows of this build. It only reads: it submits and changes nothing, and needs no worker.

The exit code is 0 if this build can take over, and 1 with the name of the first job that would break, or if the
check could not be finished.

` + command.TemporalHelp + `

Examples:
  lumaflow replay-check
  lumaflow replay-check --task-queue studio-a --closed 5000
  lumaflow replay-check --closed 0 --json
  TEMPORAL_ADDRESS=temporal:7233 TEMPORAL_NAMESPACE=studio lumaflow replay-check`
}

// report is the JSON output.
type report struct {
	replay.Tally
	// Breaks is the first job that would break.
	Breaks *replay.BreakError `json:"breaks,omitempty"`
}

// Run replays the jobs and prints their number.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	if c.Closed < 0 || c.Closed > maxClosed {
		return command.Usagef("--closed is %d: give 0 to %d", c.Closed, maxClosed)
	}
	settings, err := dial.Load(c.Env)
	if err != nil {
		return err
	}
	temporal, err := dial.Temporal(ctx, dial.Options{Logger: c.Logger(streams.Err), Env: c.Env})
	if err != nil {
		return err
	}
	defer temporal.Close()
	return c.run(ctx, temporal, replay.Options{Codec: settings.Codec, Namespace: settings.Namespace}, streams)
}

func (c *Command) run(ctx context.Context, service replay.Temporal, options replay.Options, streams command.Streams) error {
	// Without a bar, since there is no total: jobs are replayed while they are listed.
	display := terminal.NewProgress(streams.Err, func(counts replay.Tally) string { return "replayed " + counts.String() }, nil)
	counts, err := replay.Check(ctx, service, replay.Selection{Closed: c.Closed, TaskQueue: c.TaskQueue}, options, display.Show)
	display.Close()
	broken, breaks := errors.AsType[*replay.BreakError](err)
	switch {
	case breaks: // a result of the check
	case ctx.Err() != nil:
		return fmt.Errorf("replay the jobs: interrupted after %s: %w", counts, ctx.Err())
	case err != nil:
		return errors.New(oneline.Clean(err.Error()) + "; the check is incomplete, try again")
	}
	if c.JSON {
		if err := command.WriteJSON(streams.Out, report{counts, broken}); err != nil {
			return err
		}
	}
	switch {
	case breaks:
		return advice(broken)
	case c.JSON:
		return nil
	}
	_, err = fmt.Fprintln(streams.Out, c.conclusion(counts))
	return err
}

// conclusion is the last line of the text output.
func (c *Command) conclusion(counts replay.Tally) string {
	if counts == (replay.Tally{}) {
		where := "in this namespace"
		if c.TaskQueue != "" {
			where = "on task queue " + oneline.Clean(c.TaskQueue)
		}
		return "there are no jobs to replay " + where + ": nothing can break"
	}
	line := "replayed " + counts.String() + ": this build can take over"
	if counts.Gone > 0 {
		line += fmt.Sprintf(" (%d more were deleted during the check)", counts.Gone)
	}
	return line
}

// advice is the error of the command: the job, the reason and the next step.
func advice(e *replay.BreakError) error {
	return fmt.Errorf("job %s (run %s) would break under this build: %s. Next: don't deploy it while such jobs are open; "+
		"guard the changed code in workflows/ with workflow.GetVersion, or keep the old workers running until those jobs have ended",
		oneline.Clean(e.WorkflowID), e.RunID, strings.TrimSuffix(e.Reason, "."))
}
