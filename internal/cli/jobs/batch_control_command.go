package jobs

import (
	"cmp"
	"context"
	"errors"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows/batches"
)

// batchID is what the commands that control a batch have in common.
type batchID struct {
	ID         string `arg:"" name:"batch-id" help:"Workflow id of the batch."`
	JSON       bool   `name:"json" help:"Print JSON."`
	connection `embed:""`
}

// update is an update of a batch. Its effect is what the command prints before the
// number of open jobs.
type update struct {
	name   string
	args   []any
	effect string
}

// send sends an update and prints its effect, if the id can be that of a batch.
func (c *batchID) send(ctx context.Context, streams command.Streams, update update) error {
	if err := checkID(c.ID); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.sendOn(ctx, s, streams, update) })
}

func (c *batchID) sendOn(ctx context.Context, s *starter.Starter, streams command.Streams, update update) error {
	progress, err := s.UpdateBatch(ctx, c.ID, update.name, update.args...)
	if err != nil {
		return err
	}
	message(streams.Err, "batch %s %s: %d, not started: %d", oneline.Clean(c.ID), update.effect, progress.InFlight, progress.NotStarted)
	if c.JSON {
		return command.WriteJSON(streams.Out, progress)
	}
	return nil
}

// BatchStatusCommand shows a batch.
type BatchStatusCommand struct {
	ID         string `arg:"" name:"batch-id" help:"Workflow id of the batch."`
	Watch      bool   `help:"Watch the batch until it is over. The exit code is then 0 only if all jobs have their videos."`
	watchFlags `embed:""`
	connection `embed:""`
}

// Run prints the status once, or watches the batch.
func (c *BatchStatusCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := checkID(c.ID); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.Timeout != 0 && !c.Watch {
		return command.Usagef("--timeout needs --watch")
	}
	return c.connected(ctx, streams, starter.Options{}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchStatusCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	report, err := s.BatchStatus(ctx, c.ID)
	switch {
	case err != nil:
		return err
	case c.Watch:
		return c.watchBatch(ctx, s, c.ID, countsOfBatch(report, 0).total, streams)
	case c.JSON:
		return command.WriteJSON(streams.Out, report)
	default:
		return writeBatch(streams.Out, report)
	}
}

// BatchPauseCommand starts no more jobs until the batch is resumed.
type BatchPauseCommand struct {
	batchID `embed:""`
}

// Run pauses the batch.
func (c *BatchPauseCommand) Run(ctx context.Context, streams command.Streams) error {
	return c.send(ctx, streams, c.update())
}

func (c *BatchPauseCommand) update() update {
	return update{name: batches.PauseUpdate, effect: "is paused; open jobs continue"}
}

// BatchResumeCommand continues a paused batch.
type BatchResumeCommand struct {
	batchID `embed:""`
}

// Run resumes the batch.
func (c *BatchResumeCommand) Run(ctx context.Context, streams command.Streams) error {
	return c.send(ctx, streams, c.update())
}

func (c *BatchResumeCommand) update() update {
	return update{name: batches.ResumeUpdate, effect: "is resumed; open"}
}

// BatchStopCommand ends a batch when its open jobs have ended.
type BatchStopCommand struct {
	batchID `embed:""`
}

// Run stops the batch.
func (c *BatchStopCommand) Run(ctx context.Context, streams command.Streams) error {
	return c.send(ctx, streams, c.update())
}

func (c *BatchStopCommand) update() update {
	return update{name: batches.StopUpdate, effect: "starts no more jobs; open jobs continue"}
}

// BatchSetConcurrencyCommand sets the greatest number of open jobs.
type BatchSetConcurrencyCommand struct {
	batchID `embed:""`
	Number  int `arg:"" name:"n" help:"Greatest number of open jobs, 1 to 1000."`
}

// Run sets the number.
func (c *BatchSetConcurrencyCommand) Run(ctx context.Context, streams command.Streams) error {
	if c.Number < 1 || c.Number > batches.MaxConcurrency {
		return command.Usagef("the concurrency is %d: give 1 to %d open jobs", c.Number, batches.MaxConcurrency)
	}
	return c.send(ctx, streams, c.update())
}

func (c *BatchSetConcurrencyCommand) update() update {
	return update{
		name: batches.SetConcurrencyUpdate, args: []any{c.Number},
		effect: "has at most " + english.Plural(c.Number, "open job", "") + " at the same time; open",
	}
}

// BatchRetryCommand runs what failed once more.
type BatchRetryCommand struct {
	batchID        `embed:""`
	Concurrency    *int     `placeholder:"N" help:"Greatest number of open jobs. Default: that of its start, before any set-concurrency."`
	Budget         *int     `placeholder:"N" help:"Greatest number of paid submissions of the batch, in all its runs; 0: no limit. Default: that of the last run."`
	Canary         *int     `placeholder:"N" help:"Start more than the first N jobs only when these have their videos; 0: none. Default: that of the last run."`
	MaxFailureRate *float64 `placeholder:"RATE" help:"Stop if more than this part of the last 50 jobs has no video; 0: no limit. Default: that of the last run."`
	queueFlags     `embed:""`
}

// Help documents what is paid again.
func (BatchRetryCommand) Help() string {
	return `Runs the jobs that failed, and those that were not started. A job is paid again only if kie.ai made no video for
it; a task that is paid and not stored is collected at no cost. An open batch retries at its end; one that is over is
started again with the same jobs, and with its limits unless flags change them. --budget counts what the batch has
paid before, too: a batch that its budget has stopped needs a greater one to submit more.

Examples:
  lumaflow batch retry batch-0123456789abcdef0123456789abcdef
  lumaflow batch retry batch-0123456789abcdef0123456789abcdef --budget 400`
}

// Run retries the batch.
func (c *BatchRetryCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := cmp.Or(checkID(c.ID), checkTaskQueue(c.TaskQueue)); err != nil {
		return err
	}
	if c.Concurrency != nil && *c.Concurrency == 0 {
		return command.Usagef("--concurrency is 0: give 1 to %d open jobs", batches.MaxConcurrency)
	}
	changed := c.limits().Apply(batches.Input{Manifest: "manifest"})
	if err := flagError(changed.Validate()); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchRetryCommand) limits() starter.Limits {
	return starter.Limits{Concurrency: c.Concurrency, Budget: c.Budget, Canary: c.Canary, MaxFailureRate: c.MaxFailureRate}
}

func (c *BatchRetryCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	retried, err := s.RetryBatch(ctx, c.ID, c.limits())
	if errors.Is(err, starter.ErrNothingToRetry) {
		message(streams.Err, "%s", err)
		return nil
	}
	if err != nil {
		return err
	}
	id := oneline.Clean(c.ID)
	if retried.Existing {
		message(streams.Err, "batch %s runs what failed once more when it has come to its end", id)
	} else {
		message(streams.Err, "batch %s is started again and runs what failed; watch it with: lumaflow batch status %s --watch", id, id)
	}
	if retried.Budget > 0 && retried.Charges >= retried.Budget {
		message(streams.Err, "the batch has paid %s and its budget is %d: it starts no job that needs another one; to submit more: lumaflow batch retry %s --budget N", english.Plural(retried.Charges, "submission", ""), retried.Budget, id)
	}
	if c.JSON {
		return command.WriteJSON(streams.Out, retried.BatchReport)
	}
	return nil
}
