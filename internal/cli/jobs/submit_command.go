package starter

import (
	"context"
	"fmt"
	"time"

	"lumaflow/internal/command"
	"lumaflow/workflows"
)

// SubmitCommand starts one job, or finds the one that is there already.
type SubmitCommand struct {
	Prompt          string        `placeholder:"TEXT" help:"What to change in the video, in English."`
	Video           string        `placeholder:"FILE|URL" help:"The video: a file, or the http or https address where kie.ai fetches it. MP4, MOV or AVI, at most 500 MB and 10 s."`
	Watermark       string        `placeholder:"ID" help:"kie.ai's watermark identifier."`
	TaskID          string        `name:"task-id" placeholder:"ID" help:"Collect this task instead of submitting one. Costs nothing."`
	Name            string        `placeholder:"PREFIX" help:"Put in front of the names of the stored files."`
	RecoveryWindow  string        `placeholder:"DURATION" help:"How long to look for proof of a submission with an unknown outcome (default 1h)."`
	Deadline        string        `placeholder:"DURATION" help:"How long to wait for a place at kie.ai, and then for the stored video (default 24h)."`
	OnUnknownSubmit string        `placeholder:"ACTION" help:"When the recovery window ends without proof: fail (the default) or resubmit, which may pay twice."`
	Input           string        `placeholder:"JSON" help:"The job as one JSON object, as @FILE, or as - for standard input; instead of the flags above."`
	Key             string        `placeholder:"NAME" help:"Tells takes apart: the same request with another key is another job, paid for itself."`
	ID              string        `name:"id" placeholder:"ID" help:"Workflow id of the job, instead of the one derived from the request and the key."`
	Wait            bool          `help:"Wait until the job has ended."`
	Timeout         time.Duration `placeholder:"DURATION" help:"Stop waiting after this time; the job goes on (default 72h)."`
	JSON            bool          `name:"json" help:"Print one JSON object."`
	TaskQueue       string        `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue of the workers."`
	uploads         `embed:""`
	logging         `embed:""`
}

// Help shows how jobs are started.
func (SubmitCommand) Help() string {
	return `The same command twice is the same job: while it runs, and when it is done, nothing is started or paid again.
A job that ended without its video starts again only if that can't pay twice. All this holds for as long as Temporal
remembers the job (the retention time of the namespace).

A file is checked, and uploaded to kie.ai under KIE_API_KEY, which costs nothing. The job is known by its content: the
same file is the same job, wherever it lies, and is not uploaded again. kie.ai keeps uploads for a day; a job that
could not be submitted until then fails unpaid, and the same command uploads the file anew.

The job's id is printed on standard output, what happened on standard error.

Examples:
  lumaflow submit --prompt "Turn the street into a snowy winter night" --video https://cdn.example.org/in.mp4
  lumaflow submit --prompt "…" --video ./clip.mov
  lumaflow submit --prompt "…" --video https://… --wait --timeout 30m
  lumaflow submit --prompt "…" --video https://… --key take-2
  lumaflow submit --task-id 0123456789abcdef0123456789abcdef
  lumaflow submit --input '{"prompt":"…","videoUrl":"https://…"}' --json
  lumaflow submit --input @job.json --id shot-7`
}

// Run checks the request before it dials, then starts the job.
func (c *SubmitCommand) Run(ctx context.Context, streams command.Streams) error {
	asked, err := c.order(ctx, streams.In)
	if err != nil {
		return err
	}
	defer asked.close()
	return c.connected(ctx, streams, Options{TaskQueue: c.TaskQueue}, func(s *Starter) error {
		return c.run(ctx, asked.through(s, streams.Err), asked.input, streams)
	})
}

func (c *SubmitCommand) run(ctx context.Context, s *Starter, input workflows.ModifyVideoInput, streams command.Streams) error {
	job, err := c.submit(ctx, s, input)
	if err != nil {
		return err
	}
	c.tell(ctx, s, job, input, streams)
	switch {
	case c.Wait && job.State.Open():
		waiting := wait{ids: []string{job.WorkflowID}, timeout: c.Timeout, streams: streams}
		reports, err := waiting.run(ctx, s)
		if len(reports) == 0 {
			return err
		}
		if c.JSON {
			return printed(command.WriteJSON(streams.Out, submitted{reports[0], job.Existing}), err)
		}
		return printed(writeResults(streams.Out, reports, time.Now()), err)
	case !job.State.Open():
		report, err := s.Status(ctx, job.WorkflowID)
		if err != nil {
			return err
		}
		if c.JSON {
			return command.WriteJSON(streams.Out, submitted{report, job.Existing})
		}
		if c.Wait {
			return writeResults(streams.Out, []Report{report}, time.Now())
		}
		// Whoever reads the id from standard output gets it the second time, too.
		if err := writeResults(streams.Err, []Report{report}, time.Now()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(streams.Out, job.WorkflowID)
		return err
	case c.JSON:
		return command.WriteJSON(streams.Out, submitted{job.report(input), job.Existing})
	default:
		_, err := fmt.Fprintln(streams.Out, job.WorkflowID)
		return err
	}
}

func (c *SubmitCommand) submit(ctx context.Context, s *Starter, input workflows.ModifyVideoInput) (Job, error) {
	if c.ID != "" {
		return s.SubmitAs(ctx, c.ID, input)
	}
	return s.Submit(ctx, input, c.Key)
}

// tell says what became of the command.
func (c *SubmitCommand) tell(ctx context.Context, s *Starter, job Job, input workflows.ModifyVideoInput, streams command.Streams) {
	id := plain(job.WorkflowID)
	another := "for another, paid take use a new --key or --id"
	if input.TaskID != "" {
		another = "to collect the task once more use a new --key or --id"
	}
	switch {
	case !job.State.Open():
		fmt.Fprintf(streams.Err, "job %s is done already, nothing was started; %s\n", id, another)
	case job.Existing:
		fmt.Fprintf(streams.Err, "job %s is under way already, nothing was started; %s\n", id, another)
	case job.Again:
		fmt.Fprintf(streams.Err, "job %s had ended without its video and is started again; see it with: lumaflow status %s\n", id, id)
	default:
		fmt.Fprintf(streams.Err, "job %s is started; see it with: lumaflow status %s\n", id, id)
	}
	if job.State.Open() {
		if there, known := s.workerThere(ctx, place{queue: s.taskQueue}); known && !there {
			fmt.Fprintf(streams.Err, "%s\n", place{queue: s.taskQueue}.noWorker())
		}
	}
}

// report is the little that is known of a job that has just been started. Its
// time is Temporal's to tell.
func (j Job) report(input workflows.ModifyVideoInput) Report {
	return Report{WorkflowID: j.WorkflowID, RunID: j.RunID, State: j.State, StartedAt: j.StartedAt, TaskID: input.TaskID}
}

// submitted is what submit prints as JSON.
type submitted struct {
	Report
	// Existing says that the job was there before.
	Existing bool `json:"existing"`
}
