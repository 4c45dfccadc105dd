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

// with calls use with a job client, if the id can be one.
func (c *batchID) with(ctx context.Context, streams command.Streams, use func(*starter.Starter) error) error {
	if err := checkID(c.ID); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{}, use)
}

// update sends an update and prints its effect, which a number of open jobs continues.
func (c *batchID) update(ctx context.Context, s *starter.Starter, streams command.Streams, effect, update string, args ...any) error {
	progress, err := s.UpdateBatch(ctx, c.ID, update, args...)
	if err != nil {
		return err
	}
	message(streams.Err, "batch %s %s: %d, not started: %d", oneline.Clean(c.ID), effect, progress.InFlight, progress.NotStarted)
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
	return c.with(ctx, streams, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchPauseCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.update(ctx, s, streams, "is paused; open jobs continue", batches.PauseUpdate)
}

// BatchResumeCommand continues a paused batch.
type BatchResumeCommand struct {
	batchID `embed:""`
}

// Run resumes the batch.
func (c *BatchResumeCommand) Run(ctx context.Context, streams command.Streams) error {
	return c.with(ctx, streams, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchResumeCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.update(ctx, s, streams, "is resumed; open", batches.ResumeUpdate)
}

// BatchStopCommand ends a batch when its open jobs have ended.
type BatchStopCommand struct {
	batchID `embed:""`
}

// Run stops the batch.
func (c *BatchStopCommand) Run(ctx context.Context, streams command.Streams) error {
	return c.with(ctx, streams, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchStopCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.update(ctx, s, streams, "starts no more jobs; open jobs continue", batches.StopUpdate)
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
	return c.with(ctx, streams, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchSetConcurrencyCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	return c.update(ctx, s, streams, "has at most "+english.Plural(c.Number, "open job", "")+" at the same time; open", batches.SetConcurrencyUpdate, c.Number)
}

// BatchRetryCommand runs what failed once more.
type BatchRetryCommand struct {
	batchID    `embed:""`
	queueFlags `embed:""`
}

// Help documents what is paid again.
func (BatchRetryCommand) Help() string {
	return `Runs the jobs that failed, and those that were not started. A job is paid again only if kie.ai made no video for
it; a task that is paid and not stored is collected at no cost. An open batch retries at its end; one that is over is
started again with the same jobs and limits.

Example:
  lumaflow batch retry batch-0123456789abcdef0123456789abcdef`
}

// Run retries the batch.
func (c *BatchRetryCommand) Run(ctx context.Context, streams command.Streams) error {
	if err := cmp.Or(checkID(c.ID), checkTaskQueue(c.TaskQueue)); err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error { return c.run(ctx, s, streams) })
}

func (c *BatchRetryCommand) run(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	retried, err := s.RetryBatch(ctx, c.ID)
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
	if c.JSON {
		return command.WriteJSON(streams.Out, retried.BatchReport)
	}
	return nil
}
