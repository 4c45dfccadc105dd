// Package audit is the command that verifies stored videos against their
// receipts.
package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
)

// maxParallel is beyond the number of concurrent reads that any store gains from.
const maxParallel = 256

// Command audits a store.
type Command struct {
	OutputURL string        `arg:"" optional:"" name:"output-url" env:"OUTPUT_URL" default:"./videos" help:"Where the videos are: a path, or a file://, s3://, gs:// or azblob:// URL (${default})."`
	Parallel  int           `placeholder:"N" help:"How many files are read at a time (default: one for each processor)."`
	Grace     time.Duration `default:"24h" help:"How old a video without a receipt is before it is a problem. Its job may still be collecting others: give at least the jobs' deadline."`
	Deep      bool          `help:"Also check that every file is a complete video. Files of a bucket are copied to the folder for temporary files first, one for each concurrent read."`
	JSON      bool          `name:"json" help:"Print one JSON object."`
}

// Help describes the audit.
func (Command) Help() string {
	return `Reads every receipt, hashes every file that it lists, and reports the files that are missing, changed, truncated or
listed by no receipt. It changes nothing, and needs neither Temporal nor kie.ai. Jobs may run during the audit: files that
are still being written are left out, and a young video whose receipt may still come is shown as pending, which is no
problem. Links are not followed; hidden files and folders are not read. A table that is too wide for the terminal, or for
100 columns elsewhere, shortens ids and details; --json has them whole.

The exit code is 0 if every file is as it was stored, and 1 if there is a problem or the audit could not be finished.

Examples:
  lumaflow audit
  lumaflow audit /srv/videos
  lumaflow audit /srv/videos --json
  lumaflow audit /srv/videos --deep
  lumaflow audit /mnt/nas/videos --parallel 16 --grace 72h
  lumaflow audit "s3://my-bucket?region=eu-central-1&prefix=videos/" --parallel 16`
}

// Run audits the store and prints the findings.
func (c *Command) Run(ctx context.Context, streams command.Streams) error {
	switch {
	case c.Parallel < 0 || c.Parallel > maxParallel:
		return command.Usagef("--parallel is %d: give 1 to %d, or leave it out", c.Parallel, maxParallel)
	case c.Grace < 0:
		return command.Usagef("--grace is %s: give a duration that is not negative, such as 24h", c.Grace)
	}
	opened, err := store.OpenExisting(ctx, c.OutputURL)
	if err != nil {
		if _, malformed := errors.AsType[*store.URLError](err); malformed {
			err = command.Usagef("%w", err)
		}
		return err
	}
	return c.run(ctx, opened, audit.Options{Parallel: c.Parallel, Grace: c.Grace, Deep: c.Deep}, streams)
}

func (c *Command) run(ctx context.Context, opened audit.Store, options audit.Options, streams command.Streams) error {
	display := terminal.NewProgress(streams.Err, summary, func(p audit.Progress) (reached, all int64) { return p.Bytes, p.AllBytes })
	options.OnProgress = display.Show
	report, err := audit.Run(ctx, opened, options)
	display.Close()
	if printErr := c.print(streams, report); printErr != nil {
		return printErr
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("the audit was interrupted after it found " + kinds(report) + "; there may be more")
	case err != nil:
		return fmt.Errorf("the audit can't go on (%s) after it found %s; there may be more", oneline.Clean(err.Error()), kinds(report))
	case len(report.Problems) > 0:
		return errors.New(kinds(report) + advice)
	default:
		return nil
	}
}

// advice ends the error of an audit with problems.
const advice = ". Next: put back what you have a copy of, and move elsewhere what no job stored; while kie.ai keeps a task's media (14 days), " +
	"lumaflow submit --task-id TASK --key again, with the --name it had, collects it once more, free of charge"

func (c *Command) print(streams command.Streams, report audit.Report) error {
	if c.JSON {
		return command.WriteJSON(streams.Out, report)
	}
	return write(streams.Out, report)
}
