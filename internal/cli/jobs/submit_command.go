package jobs

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// SubmitCommand starts one job, or finds the existing one.
type SubmitCommand struct {
	Prompt          string        `placeholder:"TEXT" help:"The change to the video, in English."`
	Video           string        `placeholder:"FILE|URL" help:"The video: a file, or the http or https address where kie.ai fetches it. The limits are those of the model: lumaflow models."`
	Model           modelName     `placeholder:"NAME" help:"kie.ai's model, such as wan/2-7-videoedit or aleph (default luma)."`
	Option          []string      `sep:"none" placeholder:"NAME=VALUE" help:"A field of the model, such as resolution=720p; can be given several times."`
	Options         string        `placeholder:"FILE" help:"The fields of the model as one JSON object, from this file or, if it is -, from standard input."`
	Unchecked       bool          `help:"Pay for a model that lumaflow has no table and kie.ai no schema of."`
	Watermark       string        `placeholder:"ID" help:"kie.ai's watermark identifier."`
	TaskID          string        `name:"task-id" placeholder:"ID" help:"Collect this task instead of submitting one. Costs nothing."`
	Name            string        `placeholder:"PREFIX" help:"Prefix of the names of the stored files."`
	RecoveryWindow  string        `placeholder:"DURATION" help:"Time to search for proof of a submission with an unknown outcome (default 1h)."`
	Deadline        string        `placeholder:"DURATION" help:"Longest wait for a place at kie.ai, and then for the stored video (default 24h)."`
	OnUnknownSubmit string        `placeholder:"ACTION" help:"When the recovery window ends without proof: fail (the default) or resubmit, which may pay twice."`
	Input           string        `placeholder:"JSON" help:"The job as one JSON object, as @FILE, or as - for standard input; instead of the flags above."`
	Key             string        `placeholder:"NAME" help:"Part of the job's id: the same request with another key is another job, paid for itself."`
	ID              string        `name:"id" placeholder:"ID" help:"Workflow id of the job, instead of the one derived from the request and the key."`
	Wait            bool          `help:"Wait until the job has ended."`
	Timeout         time.Duration `placeholder:"DURATION" help:"Stop waiting after this time; the job continues (default 72h)."`
	JSON            bool          `name:"json" help:"Print one JSON object."`
	TaskQueue       string        `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue of the workers."`
	uploadFlags     `embed:""`
	connection      `embed:""`
}

// Help documents the identity of a job and its output.
func (SubmitCommand) Help() string {
	return `The same submit command is the same job: an open or completed one is never paid again. If a run may have left a paid
task, the command is refused and names the task. Exception: after GenerationFailed it submits a new, paid task. All this
holds while Temporal keeps the job (the retention time of the namespace).

A file is checked, and uploaded to kie.ai under KIE_API_KEY, which costs nothing. The job's id is derived from its
content: the same file is the same job at any path, and is not uploaded again. kie.ai keeps uploads for a day; a job
that could not be submitted until then fails unpaid, and the same command uploads the file again.

` + command.TemporalHelp + `
` + command.SecretsHelp + `

The job's id is printed on standard output, messages on standard error.

Examples:
  lumaflow submit --prompt "Turn the street into a snowy winter night" --video https://cdn.example.org/in.mp4
  lumaflow submit --prompt "…" --video ./clip.mov
  lumaflow submit --prompt "…" --video https://… --wait --timeout 30m
  lumaflow submit --prompt "…" --video https://… --key take-2
  lumaflow submit --prompt "…" --video https://… --model wan/2-7-videoedit --option resolution=720p
  lumaflow submit --task-id 0123456789abcdef0123456789abcdef
  lumaflow submit --input '{"prompt":"…","videoUrl":"https://…"}' --json
  lumaflow submit --input @job.json --id shot-7`
}

// Run checks the request before it dials, then starts the job.
func (c *SubmitCommand) Run(ctx context.Context, streams command.Streams) error {
	request, err := c.request(ctx, streams.In)
	if err != nil {
		return err
	}
	defer request.close()
	return c.connected(ctx, streams, starter.Options{TaskQueue: c.TaskQueue}, func(s *starter.Starter) error {
		return c.run(ctx, request.through(s, streams.Err), request.input, streams)
	})
}

func (c *SubmitCommand) run(ctx context.Context, s *starter.Starter, input workflows.ModifyVideoInput, streams command.Streams) error {
	job, err := c.submit(ctx, s, input)
	if err != nil {
		return err
	}
	c.announce(ctx, s, job, input, streams)
	report, err := c.report(ctx, s, job, input, streams)
	if report.WorkflowID == "" {
		return err
	}
	var printing error
	switch {
	case c.JSON:
		printing = command.WriteJSON(streams.Out, starter.Outcome{Report: report, Existing: job.Existing})
	case c.Wait:
		printing = writeResults(streams.Out, []starter.Report{report}, time.Now())
	case job.State.Open():
		_, printing = fmt.Fprintln(streams.Out, job.WorkflowID)
	default:
		// Standard output holds the id, as at the first time.
		printing = writeResults(streams.Err, []starter.Report{report}, time.Now())
		if printing == nil {
			_, printing = fmt.Fprintln(streams.Out, job.WorkflowID)
		}
	}
	return cmp.Or(printing, err)
}

func (c *SubmitCommand) submit(ctx context.Context, s *starter.Starter, input workflows.ModifyVideoInput) (starter.Job, error) {
	if c.ID != "" {
		return s.SubmitAs(ctx, c.ID, input)
	}
	return s.Submit(ctx, input, c.Key)
}

// announce prints whether the job was started.
func (c *SubmitCommand) announce(ctx context.Context, s *starter.Starter, job starter.Job, input workflows.ModifyVideoInput, streams command.Streams) {
	id := oneline.Clean(job.WorkflowID)
	another := "for another, paid take use a new --key or --id"
	if input.TaskID != "" {
		another = "to collect the task once more use a new --key or --id"
	}
	switch {
	case !job.State.Open():
		message(streams.Err, "job %s is done already, nothing was started; %s", id, another)
	case job.Existing:
		message(streams.Err, "job %s is under way already, nothing was started; %s", id, another)
	case job.Again:
		message(streams.Err, "job %s had ended without its video and is started again; see it with: lumaflow status %s", id, id)
	default:
		message(streams.Err, "job %s is started; see it with: lumaflow status %s", id, id)
	}
	if _, known := kie.ModelOf(input.Model); !known && input.Model != "" && job.State.Open() {
		message(streams.Err, "model %s is not in the table of lumaflow models: a worker checks it in kie.ai's catalogue before anything is paid", oneline.Clean(input.Model))
	}
	if job.State.Open() {
		if note := s.NoWorker(ctx); note != "" {
			message(streams.Err, "%s", note)
		}
	}
}

// report is the report to print: with --wait that at the end of the wait, else
// that of a job that has ended, or the start of an open one. It is empty if the
// error alone is to be printed.
func (c *SubmitCommand) report(ctx context.Context, s *starter.Starter, job starter.Job, input workflows.ModifyVideoInput, streams command.Streams) (starter.Report, error) {
	switch {
	case c.Wait && job.State.Open():
		reports, err := waitFor(ctx, s, []string{job.WorkflowID}, c.Timeout, streams)
		if len(reports) == 0 {
			return starter.Report{}, err
		}
		return reports[0], err
	case !job.State.Open():
		report, err := s.Status(ctx, job.WorkflowID)
		if err != nil {
			return starter.Report{}, err
		}
		return report, nil
	default:
		return starter.Report{WorkflowID: job.WorkflowID, RunID: job.RunID, State: job.State, StartedAt: job.StartedAt, TaskID: input.TaskID}, nil
	}
}
