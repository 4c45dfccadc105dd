package starter

import (
	"context"
	"fmt"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// BatchCommand runs many jobs.
type BatchCommand struct {
	File        string `arg:"" name:"file" help:"JSON Lines: one job a line. - reads standard input."`
	AtOnce      int    `default:"200" placeholder:"N" help:"How many jobs are open at the same time (${default})."`
	RetryFailed bool   `help:"Start jobs again that kie.ai made no video for: each is a new, paid task."`
	manyFlags   `embed:""`
}

// Help shows what a batch looks like.
func (BatchCommand) Help() string {
	return `Each line is a JSON object with the fields of a job (prompt, videoUrl, watermark, taskId, name, recoveryWindow,
deadline, onUnknownSubmit) and, to tell takes of the same request apart, key. The whole file is checked before the first
job is started.

The same file twice is the same jobs: what is done is not made again, what is under way is watched. A job whose
generation failed was paid, so it is started again only with --retry-failed. At most --at-once jobs are open at the
same time; the others start as these end. Ctrl-C and --timeout end the watching and leave what is not started; jobs that
are started go on, and the same command takes up where it was. The exit code is 0 only if all jobs have completed.

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
	orders, repeated, err := c.request(ctx, streams)
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, Options{TaskQueue: c.TaskQueue}, func(s *Starter) error {
		return c.run(ctx, s, orders, repeated, streams)
	})
}

func (c *BatchCommand) request(ctx context.Context, streams command.Streams) (orders []Order, repeated int, err error) {
	if err := c.check(c.AtOnce); err != nil {
		return nil, 0, err
	}
	return c.orders(ctx, streams.In)
}

func (c *BatchCommand) run(ctx context.Context, s *Starter, orders []Order, repeated int, streams command.Streams) error {
	fmt.Fprintf(streams.Err, "%s, at most %d open at the same time\n", counted(len(orders), "job"), c.AtOnce)
	if repeated > 0 {
		fmt.Fprintf(streams.Err, "lines that repeat others are the same jobs: %d left out; for another, paid take give a line a key\n", repeated)
	}
	return c.manyFlags.run(ctx, s, orders, ManyOptions{AtOnce: c.AtOnce, RetryFailed: c.RetryFailed}, streams, paidBefore)
}

// paidBefore says what to do about jobs that failed in an earlier batch.
func paidBefore(outcomes []Outcome) string {
	before := 0
	for _, outcome := range outcomes {
		if outcome.Existing && outcome.Failure != nil && outcome.Failure.Type == workflows.GenerationFailed {
			before++
		}
	}
	if before == 0 {
		return ""
	}
	return fmt.Sprintf("; kie.ai had made no video for %d of them before, --retry-failed starts those again, each a new, paid task", before)
}
