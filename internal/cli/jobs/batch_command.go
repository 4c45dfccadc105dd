package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/command"
	"lumaflow/internal/manifest"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows/batches"
)

// BatchCommand runs many jobs as one batch, and controls batches.
type BatchCommand struct {
	Run            BatchRunCommand            `cmd:"" default:"withargs" help:"Run the jobs of a file. The word run may be left out."`
	Status         BatchStatusCommand         `cmd:"" help:"Show a batch."`
	Pause          BatchPauseCommand          `cmd:"" help:"Start no more jobs until resume; open jobs continue."`
	Resume         BatchResumeCommand         `cmd:"" help:"Continue after pause."`
	Stop           BatchStopCommand           `cmd:"" help:"Start no more jobs; the batch ends when the open ones have."`
	Retry          BatchRetryCommand          `cmd:"" help:"Run what failed once more."`
	SetConcurrency BatchSetConcurrencyCommand `cmd:"" help:"Set the greatest number of open jobs."`
}

// Help documents the file, the identity of a batch, its limits and the flags of a run,
// whose command word is usually left out.
func (BatchCommand) Help() string { return batchHelp + runFlagsHelp }

const runFlagsHelp = `

The form of a run, each flag of which lumaflow batch run --help describes:

  lumaflow batch FILE
    jobs:          --csv --retry-failed --key=NAME --id=ID --task-queue=NAME --output-url=URL
    limits:        --concurrency=N --budget=N --canary=N --max-failure-rate=RATE
    a plan:        --plan --price-per-job=PRICE --submits-per-second=RATE --kie-api-key=KEY --kie-base-url=URL
    watching:      --detach --timeout=DURATION --json --log-level=LEVEL --log-format=FORMAT`

const batchHelp = `A file has one job a line: JSON Lines with the fields of a job (prompt, videoUrl, watermark, taskId, name,
recoveryWindow, deadline, onUnknownSubmit) and an optional key, which makes another job of the same request; or CSV
with these names as its header. Limits: 100,000 jobs, 64 MiB. The whole file is checked before anything starts.

The batch runs in the workers: Ctrl-C and --timeout end the watching only, and the same command continues it. The
same file twice is the same batch, and the same request is the same job: what is done or open is found, not paid again.
The exit code is 0 only if all jobs have their videos. The results are in <batch>.results.jsonl beside the videos, one
line for each line of the file.

--plan shows what the batch would do and starts nothing. --canary and --max-failure-rate stop a batch; its open jobs
continue. Beyond --budget only jobs run that cost nothing. A job for which kie.ai made no video was paid: only
--retry-failed and batch retry run it again.

Up to 500 lines are sent to Temporal. A larger file is stored in OUTPUT_URL, which must be that of the workers. A file
with the name of a command, such as status, is ./status.

` + command.TemporalHelp + `

Examples:
  lumaflow batch shots.jsonl --plan --price-per-job 0.35
  lumaflow batch shots.csv --budget 200 --canary 5 --max-failure-rate 0.2
  generate-shots | lumaflow batch - --detach
  lumaflow batch status batch-0123456789abcdef0123456789abcdef --watch
  lumaflow batch pause batch-0123456789abcdef0123456789abcdef
  lumaflow batch set-concurrency batch-0123456789abcdef0123456789abcdef 20
  lumaflow batch retry batch-0123456789abcdef0123456789abcdef

with shots.jsonl such as:
  {"prompt":"Turn the street into a snowy winter night","videoUrl":"https://cdn.example.org/1.mp4"}
  {"prompt":"Make it look like an oil painting","videoUrl":"https://cdn.example.org/2.mp4","name":"oil","key":"take-2"}`

// BatchRunCommand starts a batch, or finds it, and watches it.
type BatchRunCommand struct {
	File             string  `arg:"" name:"file" help:"JSON Lines, or CSV under a name such as shots.csv: a path or the URL of an object. - reads standard input."`
	CSV              bool    `name:"csv" help:"The file is CSV, whatever its name is."`
	Concurrency      int     `aliases:"at-once" default:"100" placeholder:"N" help:"Greatest number of open jobs (${default})."`
	Budget           int     `placeholder:"N" help:"Greatest number of paid submissions of the batch, in all its runs."`
	Canary           int     `placeholder:"N" help:"Start more than the first N jobs only when these have their videos."`
	MaxFailureRate   float64 `placeholder:"RATE" help:"Stop if more than this part of the last 50 jobs has no video, such as 0.2."`
	RetryFailed      bool    `help:"Also restart jobs for which kie.ai made no video: each is a new, paid task."`
	Plan             bool    `help:"Show what the batch would do, and start nothing."`
	PricePerJob      float64 `placeholder:"PRICE" help:"Price of one job for --plan."`
	SubmitsPerSecond float64 `env:"SUBMITS_PER_SECOND" default:"2" placeholder:"RATE" help:"Submissions a second of the workers, for --plan (${default})."`
	Key              string  `placeholder:"NAME" help:"Part of the batch's id: the same file with another key is another batch of the same jobs."`
	ID               string  `name:"id" placeholder:"ID" help:"Workflow id of the batch, instead of the one derived from the file and the key."`
	Detach           bool    `help:"Start the batch, print its id and do not watch it."`
	OutputURL        string  `env:"OUTPUT_URL" default:"./videos" help:"The output of the workers, for files of more than 500 lines: a path, or a file://, s3://, gs:// or azblob:// URL (${default})."`
	catalogueFlags   `embed:""`
	watchFlags       `embed:""`
	queueFlags       `embed:""`
	connection       `embed:""`
}

// Help is that of the whole command.
func (BatchRunCommand) Help() string { return batchHelp }

// Run checks the whole file before it dials, then runs the batch.
func (c *BatchRunCommand) Run(ctx context.Context, streams command.Streams) error {
	request, err := c.request(ctx, streams.In)
	if problems, ok := errors.AsType[*manifest.Problems](err); ok && problems.Count > 1 {
		return listProblems(streams.Err, sourceName(c.File), problems)
	}
	if err != nil {
		return err
	}
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error {
		return c.run(ctx, s, request, streams)
	})
}

// listProblems prints a line for each of the first problems and returns their sum as a
// usage error.
func listProblems(out io.Writer, source string, problems *manifest.Problems) error {
	for _, problem := range problems.First {
		message(out, "%s line %d: %s", source, problem.Line, problem.Text)
	}
	listed := ""
	if len(problems.First) < problems.Count {
		listed = fmt.Sprintf(", of which the first %d are listed", len(problems.First))
	}
	return command.Usagef("lines of %s that can't be used: %d%s; nothing is started", source, problems.Count, listed)
}

func (c *BatchRunCommand) run(ctx context.Context, s *starter.Starter, request batchRequest, streams command.Streams) error {
	if request.file.Duplicates > 0 {
		message(streams.Err, "lines that repeat others are the same jobs: %d left out; for another, paid take give a line a key", request.file.Duplicates)
	}
	if c.Plan {
		return c.plan(ctx, s, request, streams)
	}
	if err := request.place(ctx, c.OutputURL); err != nil {
		return err
	}
	started, err := s.StartBatch(ctx, request.BatchRequest)
	if err != nil {
		return err
	}
	c.announce(ctx, s, started, request.file.Jobs(), streams)
	if c.Detach {
		if c.JSON {
			return command.WriteJSON(streams.Out, started.BatchReport)
		}
		_, err := fmt.Fprintln(streams.Out, started.WorkflowID)
		return err
	}
	return c.watchBatch(ctx, s, started.WorkflowID, request.file.Jobs(), streams)
}

// announce prints whether the batch was started.
func (c *BatchRunCommand) announce(ctx context.Context, s *starter.Starter, started starter.Batch, jobs int, streams command.Streams) {
	id := oneline.Clean(started.WorkflowID)
	switch {
	case !started.State.Open():
		message(streams.Err, "batch %s is done already, nothing was started", id)
	case started.Existing:
		message(streams.Err, "batch %s is under way already, with the settings of its start; nothing was started", id)
	case started.Again:
		message(streams.Err, "batch %s had ended and is started again: %s, of which those with videos are found; see it with: lumaflow batch status %s", id, english.Plural(jobs, "job", ""), id)
	default:
		message(streams.Err, "batch %s is started: %s, at most %d open at the same time; see it with: lumaflow batch status %s", id, english.Plural(jobs, "job", ""), cmp.Or(c.Concurrency, batches.DefaultConcurrency), id)
	}
	if started.State.Open() {
		if note := s.NoWorker(ctx); note != "" {
			message(streams.Err, "%s", note)
		}
	}
}

// plan prints what the batch would do.
func (c *BatchRunCommand) plan(ctx context.Context, s *starter.Starter, request batchRequest, streams command.Streams) error {
	plan, err := s.PlanBatch(ctx, request.ID, request.file, c.RetryFailed)
	if err != nil {
		return err
	}
	planned := c.planned(request.ID, plan)
	planned.PriceTexts = c.priceTexts(ctx, request.file.Models, streams.Err)
	if c.JSON {
		return command.WriteJSON(streams.Out, planned)
	}
	return planned.write(streams.Out)
}

// watchBatch shows a batch until it is over and prints its end. The error counts the
// jobs without a video.
func (f *watchFlags) watchBatch(ctx context.Context, s *starter.Starter, id string, jobs int, streams command.Streams) error {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout(), errTimeout)
	defer cancel()
	display := newCountsDisplay(streams.Err, jobs)
	report, err := s.WatchBatch(ctx, id, func(report starter.BatchReport) { display.Show(countsOfBatch(report, jobs)) })
	display.Close()
	clean := oneline.Clean(id)
	if stop := stopText(ctx, err, "watching", f.timeout()); stop != "" {
		err = fmt.Errorf("%s: batch %s continues by itself; watch it again with: lumaflow batch status %s --watch", stop, clean, clean)
	} else if err == nil {
		err = batchError(report)
	}
	if report.Result != nil && report.Result.Failed > 0 {
		writeFailures(ctx, streams.Err, *report.Result)
	}
	if f.JSON {
		return cmp.Or(command.WriteJSON(streams.Out, report), err)
	}
	if report.State.Open() || report.State == starter.StateUnknown {
		return err
	}
	return cmp.Or(writeBatch(streams.Out, report), err)
}
