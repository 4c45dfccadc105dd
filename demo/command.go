// Package demo runs all of lumaflow on one machine: a Temporal dev server with
// its UI, the simulated kie.ai, webhook and worker, and five jobs that each
// meet another fault.
package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lumaflow/command"
	"lumaflow/fetch"
	"lumaflow/luma"
	"lumaflow/luma/lumatest"
)

const (
	defaultVideo = "https://cdn.example.org/street.mp4"
	// jobTime bounds one job of the demo.
	jobTime = 5 * time.Minute
)

// Command shows everything on this machine.
type Command struct {
	Video     string `placeholder:"FILE" help:"Run it on this clip of yours (MP4 or MOV)."`
	Prompt    string `default:"Turn the street into a snowy winter night" help:"What to change in the video."`
	OutputURL string `env:"OUTPUT_URL" default:"./videos" placeholder:"URL" help:"Where finished videos go: a path or a file:// URL (${default})."`
	UIPort    int    `placeholder:"PORT" help:"Port of the Temporal UI. Default: 8233, or a free one if that is taken."`
	Keep      bool   `help:"Stay up when the jobs are done, until Ctrl-C."`
}

// Help shows what the demo does.
func (Command) Help() string {
	return `No account, no cost, no network: kie.ai is simulated, and its bill is shown at the end. The Temporal server is the
real one; if there is no temporal binary yet, it is built once, which takes 4 to 5 minutes.

Examples:
  lumaflow demo
  lumaflow demo --keep
  lumaflow demo --video clip.mp4 --prompt "Make it look like an oil painting"`
}

// Run plays the demo. The error is nil only if every file is verified and every
// job was charged once.
func (c *Command) Run(ctx context.Context, streams command.Streams) (err error) {
	if strings.TrimSpace(c.Prompt) == "" {
		return command.Usagef("--prompt is blank: say what to change in the video")
	}
	clip, err := c.openClip()
	if err != nil {
		return err
	}
	if clip != nil {
		defer clip.Close()
	}
	stage, err := setUp(ctx, c, streams)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.tearDown(err != nil && ctx.Err() == nil)) }()

	video := defaultVideo
	if clip != nil {
		if video, err = stage.upload(ctx, clip); err != nil {
			return err
		}
		fmt.Fprintf(streams.Err, "Uploaded %s; the simulated kie.ai returns it %s.\n", c.Video, treatment())
	}
	fmt.Fprintf(streams.Err, "Temporal UI: %s\n\n", stage.server.UIURL())

	acting, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	performances, err := stage.perform(acting, streams, c.Prompt, video)
	if ctx.Err() != nil {
		return errors.New("interrupted before all jobs had ended; the simulated tasks end with the demo")
	}
	if err != nil {
		return err
	}
	failed := stage.review(performances)
	stage.print(streams.Out, performances)
	if c.Keep {
		fmt.Fprintln(streams.Err, "\nStaying up; Ctrl-C ends it.")
		<-ctx.Done()
	}
	return failed
}

// openClip opens the user's clip before anything is started.
func (c *Command) openClip() (*os.File, error) {
	if c.Video == "" {
		return nil, nil
	}
	clip, err := os.Open(c.Video)
	if err != nil {
		return nil, command.Usagef("--video can't be read: %w", err)
	}
	info, err := clip.Stat()
	switch {
	case err != nil:
		clip.Close()
		return nil, command.Usagef("--video can't be read: %w", err)
	case !info.Mode().IsRegular() || info.Size() == 0:
		clip.Close()
		return nil, command.Usagef("--video %s is not a file with anything in it: give an MP4 or MOV", c.Video)
	}
	if _, err := fetch.Inspect(c.Video); err != nil {
		clip.Close()
		return nil, command.Usagef("--video %s is no MP4 or MOV: %w", c.Video, err)
	}
	return clip, nil
}

// treatment says what the simulated kie.ai does to an uploaded clip.
func treatment() string {
	if _, ok := lumatest.FFmpeg(); ok {
		return "modified by ffmpeg"
	}
	return "unchanged, because ffmpeg is not on PATH"
}

// upload sends the clip the way any local video goes to kie.ai.
func (s *stage) upload(ctx context.Context, clip *os.File) (string, error) {
	info, err := clip.Stat()
	if err != nil {
		return "", fmt.Errorf("--video can't be read: %w", err)
	}
	provider, err := luma.New(luma.Options{BaseURL: s.kieURL, UploadBaseURL: s.kieURL, APIKey: apiKey, UserAgent: luma.UserAgent(command.Version())})
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", clip.Name(), err)
	}
	uploaded, err := provider.Upload(ctx, luma.Upload{Name: filepath.Base(clip.Name()), Size: info.Size(), Body: clip})
	if err != nil {
		return "", fmt.Errorf("upload %s: %w", clip.Name(), err)
	}
	return uploaded.URL, nil
}
