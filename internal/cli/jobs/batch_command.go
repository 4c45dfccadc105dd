package jobs

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// BatchCommand runs many jobs.
type BatchCommand struct {
	File        string `arg:"" name:"file" help:"JSON Lines: one job a line. - reads standard input."`
	AtOnce      int    `default:"200" placeholder:"N" help:"Greatest number of open jobs (${default})."`
	RetryFailed bool   `help:"Also restart jobs for which kie.ai made no video: each is a new, paid task."`
	batchFlags  `embed:""`
}

// Help documents the file and the repetition of a batch.
func (BatchCommand) Help() string {
	return `Each line is a JSON object with the fields of a job (prompt, videoUrl, watermark, taskId, name, recoveryWindow,
deadline, onUnknownSubmit) and an optional key, which makes another job of the same request. The whole file is checked
before the first job starts.

The same file twice is the same jobs: completed ones are not repeated, open ones are watched. A job whose generation
failed was paid, so it restarts only with --retry-failed. At most --at-once jobs are open at the same time; the others
start as these end. Ctrl-C and --timeout end the watching and start no more jobs; started jobs continue, and the same
command resumes the batch. The exit code is 0 only if all jobs have completed.

` + command.TemporalHelp + `

Examples:
  lumaflow batch shots.jsonl
  lumaflow batch shots.jsonl --retry-failed --json
  generate-shots | lumaflow batch -

with shots.jsonl such as:
  {"prompt":"Turn the street into a snowy winter night","videoUrl":"https://cdn.example.org/1.mp4"}
  {"prompt":"Make it look like an oil painting","videoUrl":"https://cdn.example.org/2.mp4","name":"oil","key":"take-2"}`
}

// Run checks the whole file before it dials, then runs the jobs.
func (c *BatchCommand) Run(ctx context.Context, streams command.Streams) error {
	orders, repeated, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error {
		return c.run(ctx, s, orders, repeated, streams)
	})
}

func (c *BatchCommand) run(ctx context.Context, s *starter.Starter, orders []starter.Order, repeated int, streams command.Streams) error {
	message(streams.Err, "%s, at most %d open at the same time", english.Plural(len(orders), "job", ""), c.AtOnce)
	if repeated > 0 {
		message(streams.Err, "lines that repeat others are the same jobs: %d left out; for another, paid take give a line a key", repeated)
	}
	options := starter.BatchOptions{AtOnce: c.AtOnce, RetryFailed: c.RetryFailed}
	return c.batchFlags.run(ctx, s, orders, options, streams, retryHint)
}

// retryHint counts the jobs whose generation failed and names the flag that restarts
// them.
func retryHint(outcomes []starter.Outcome) string {
	failed := 0
	for _, outcome := range outcomes {
		if outcome.Failure != nil && outcome.Failure.Type == workflows.GenerationFailed {
			failed++
		}
	}
	if failed == 0 {
		return ""
	}
	return fmt.Sprintf("; kie.ai made no video for %d of them: the same command with --retry-failed restarts those, each as a new, paid task", failed)
}

// request checks the flags and reads the file.
func (c *BatchCommand) request(ctx context.Context, stdin io.Reader) (orders []starter.Order, repeated int, err error) {
	if err := c.check(c.AtOnce); err != nil {
		return nil, 0, err
	}
	return readBatch(ctx, c.File, stdin)
}

// readBatch reads one job from each line. Lines with the same request and key are
// one job, that of the first. Errors are usage errors.
func readBatch(ctx context.Context, path string, stdin io.Reader) (orders []starter.Order, repeated int, err error) {
	byID := map[string]int{}
	err = readLines(ctx, path, stdin, func(number int, line []byte) error {
		order, err := starter.ParseOrder(line)
		if err != nil {
			return err
		}
		order.Line = number
		id := starter.JobID(order.Input, order.Key)
		index, repeats := byID[id]
		switch {
		case repeats && orders[index].Input != order.Input:
			return fmt.Errorf("it is the same job as line %d but differs in how it is run; give it a key of its own for another, paid take", orders[index].Line)
		case repeats:
			repeated++
			return nil
		case len(orders) == maxOrders:
			return fmt.Errorf("these are more than %d jobs: split the file", maxOrders)
		}
		byID[id] = len(orders)
		orders = append(orders, order)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if len(orders) == 0 {
		return nil, 0, command.Usagef("%s holds no job: write one JSON object a line", sourceName(path))
	}
	return orders, repeated, nil
}
