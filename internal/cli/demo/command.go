// Package demo runs all of lumaflow on one machine: a Temporal dev server with
// its UI, the simulated kie.ai, a webhook and a worker. Five jobs run; four of
// them meet an injected fault.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/internal/kie/kietest"
	"lumaflow/workflows"
)

// jobTime bounds one job of the demo.
const jobTime = 5 * time.Minute

// Command runs the demo.
type Command struct {
	Video     string `placeholder:"FILE" help:"Run it on this clip of yours, within the limits of the model (lumaflow models)."`
	Prompt    string `default:"Turn the street into a snowy winter night" help:"What to change in the video."`
	Model     string `default:"luma" placeholder:"NAME" help:"Model of kie.ai, such as wan/2-7-videoedit or aleph (${default})."`
	OutputURL string `env:"OUTPUT_URL" default:"./videos" placeholder:"URL" help:"Destination of finished videos: a path, or a file://, s3://, gs:// or azblob:// URL (${default})."`
	UIPort    int    `placeholder:"PORT" help:"Port of the Temporal UI. Default: 8233, or a free one if that is taken."`
	Keep      bool   `help:"Stay up when the jobs are done, with the gallery of the videos, until Ctrl-C."`
}

// Help describes the demo.
func (Command) Help() string {
	return `No account, no cost, no network: kie.ai is simulated, and its bill is shown at the end. The Temporal server is the
real one; if there is no temporal binary yet, it is built once, which takes 4 to 5 minutes. The worker keeps the source of
each job beside its result (KEEP_SOURCE).

Examples:
  lumaflow demo
  lumaflow demo --keep
  lumaflow demo --model wan/2-7-videoedit
  lumaflow demo --video clip.mp4 --prompt "Make it look like an oil painting"`
}

// Run runs the demo. The error is nil only if every file is verified and every job
// was charged once.
func (c *Command) Run(ctx context.Context, streams command.Streams) (err error) {
	if strings.TrimSpace(c.Prompt) == "" {
		return command.Usagef("--prompt is blank: describe the change to the video")
	}
	model, known := kie.ModelOf(c.Model)
	if !known {
		return command.Usagef("--model %.60q is none that the demo simulates: lumaflow models lists them", c.Model)
	}
	if err := model.CheckOptions("snow", nil); err != nil {
		return command.Usagef("--model: %w, and the demo gives no options", err)
	}
	own, err := c.openClip(ctx)
	if err != nil {
		return err
	}
	if own != nil {
		defer func() { _ = own.Close() }()
	}
	running, err := start(ctx, c, streams)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, running.stop(err != nil && ctx.Err() == nil)) }()

	source, err := running.source(ctx, own, streams.Err)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(streams.Err, "Temporal UI: %s\n\n", running.server.UIURL())

	if c.Model != kie.DefaultModel {
		source.Model = c.Model
	}
	bounded, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	outcomes, err := running.runJobs(bounded, streams, c.Prompt, source)
	if ctx.Err() != nil {
		return errors.New("interrupted before all jobs had ended; the simulated tasks end with the demo")
	}
	if err != nil {
		return err
	}
	failed := running.verifyJobs(ctx, outcomes)
	running.print(streams.Out, outcomes)
	if c.Keep {
		_, _ = fmt.Fprintln(streams.Err, "\nStaying up; Ctrl-C ends it.")
		<-ctx.Done()
	}
	return failed
}

// openClip checks the user's clip before anything starts; it is nil without
// --video.
func (c *Command) openClip(ctx context.Context) (*clip.Clip, error) {
	if c.Video == "" {
		return nil, nil
	}
	path, local, err := clip.Local(c.Video)
	if err == nil && !local {
		err = command.Usagef("the demo uses no network: give a file on this machine")
	}
	var opened *clip.Clip
	if err == nil {
		opened, err = clip.OpenFor(ctx, path, c.Model)
	}
	if err != nil {
		return nil, fmt.Errorf("--video: %w", err)
	}
	return opened, nil
}

// source is the input video of all jobs: the user's clip, uploaded as by lumaflow
// submit, or a clip that the simulated kie.ai serves.
func (s *system) source(ctx context.Context, own *clip.Clip, progress io.Writer) (workflows.ModifyVideoInput, error) {
	if own == nil {
		return workflows.ModifyVideoInput{VideoURL: s.kieURL + kietest.SourcePath}, nil
	}
	provider, err := kie.New(kie.Options{UploadBaseURL: s.kieURL, APIKey: apiKey, UserAgent: kie.UserAgent(command.Version())})
	if err != nil {
		return workflows.ModifyVideoInput{}, fmt.Errorf("upload %s: %w", own, err)
	}
	defer provider.CloseIdleConnections()
	hosted, err := own.Upload(ctx, provider, jobs.NewUploadDisplay(progress, own))
	if err != nil {
		return workflows.ModifyVideoInput{}, err
	}
	modification := "unchanged if it is an MP4 or MOV, because ffmpeg is not on PATH"
	if _, ok := kietest.FFmpeg(); ok {
		modification = "modified by ffmpeg"
	}
	_, _ = fmt.Fprintf(progress, "Uploaded %s; the simulated kie.ai returns it %s.\n", own, modification)
	return workflows.ModifyVideoInput{
		VideoURL: hosted.URL, VideoSHA256: own.SHA256(), VideoExpires: hosted.Expires.UTC().Format(time.RFC3339),
	}, nil
}
