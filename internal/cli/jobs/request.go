package starter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/workflows"
)

const (
	// maxInput bounds a request given as JSON.
	maxInput = 1 << 20
	// maxID is how long a workflow id may be, in bytes.
	maxID = 1000
)

// order reads the job from the flags. What is wrong with them is a usage error
// that names the flag. The order must be closed.
func (c *SubmitCommand) order(ctx context.Context, stdin io.Reader) (*order, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Input == "" {
		return c.orderInFlags(ctx)
	}
	data, err := readInput(ctx, c.Input, stdin)
	if err != nil {
		return nil, err
	}
	input, err := workflows.ParseInput(data)
	if err != nil {
		return nil, command.Usagef("--input: %w", err)
	}
	return &order{input: input}, nil
}

func (c *SubmitCommand) orderInFlags(ctx context.Context) (*order, error) {
	if err := c.checkJob(); err != nil {
		return nil, err
	}
	asked := &order{input: c.input()}
	path, local, err := clip.Local(c.Video)
	if err != nil {
		return nil, fmt.Errorf("--video: %w", err)
	}
	if !local || c.TaskID != "" {
		return asked, usage(asked.input.Validate())
	}
	if err := usage(asked.input.ValidateBeforeUpload()); err != nil {
		return nil, err
	}
	if err := asked.addVideo(ctx, path, c.uploads); err != nil {
		asked.close()
		return nil, err
	}
	return asked, nil
}

// input is the job that the flags describe.
func (c *SubmitCommand) input() workflows.ModifyVideoInput {
	return workflows.ModifyVideoInput{
		Prompt:          c.Prompt,
		VideoURL:        c.Video,
		Watermark:       c.Watermark,
		TaskID:          c.TaskID,
		Name:            c.Name,
		RecoveryWindow:  c.RecoveryWindow,
		Deadline:        c.Deadline,
		OnUnknownSubmit: c.OnUnknownSubmit,
	}
}

// check refuses flags that don't go together or can't be meant.
func (c *SubmitCommand) check() error {
	switch {
	case c.TaskQueue == "":
		return command.Usagef("TASK_QUEUE is empty: leave it unset for the default")
	case c.Timeout != 0 && !c.Wait:
		return command.Usagef("--timeout needs --wait")
	case c.Timeout < 0:
		return command.Usagef("--timeout is %s: give a duration above 0, such as 30m", c.Timeout)
	case c.ID != "" && c.Key != "":
		return command.Usagef("--id and --key exclude each other: the key only tells derived ids apart")
	case c.ID != "" && (len(c.ID) > maxID || !utf8.ValidString(c.ID) || strings.TrimSpace(c.ID) != c.ID):
		return command.Usagef("--id must be at most %d bytes of text without blanks around it", maxID)
	case c.Input != "" && c.input() != workflows.ModifyVideoInput{}:
		return command.Usagef("--input holds the whole job: leave out --prompt, --video, --watermark, --task-id, --name, --recovery-window, --deadline and --on-unknown-submit")
	default:
		return nil
	}
}

// checkJob puts in the words of the flags what people most often get wrong.
func (c *SubmitCommand) checkJob() error {
	if c.TaskID != "" {
		if c.Prompt != "" || c.Video != "" || c.Watermark != "" || c.RecoveryWindow != "" || c.OnUnknownSubmit != "" {
			return command.Usagef("--task-id collects a task that exists already: leave out --prompt, --video, --watermark, --recovery-window and --on-unknown-submit")
		}
		return nil
	}
	switch {
	case strings.TrimSpace(c.Prompt) == "" && c.Video == "":
		return command.Usagef("say what to do: --prompt and --video for a new job, --task-id to collect a task, or --input")
	case strings.TrimSpace(c.Prompt) == "":
		return command.Usagef("--prompt is missing: say what to change in the video")
	case c.Video == "":
		return command.Usagef("--video is missing: give a file, or the address where kie.ai can fetch it")
	}
	return nil
}

// flags are what the fields of the workflow's input are called here.
var flags = map[string]string{
	"prompt":          "--prompt",
	"videoUrl":        "--video",
	"watermark":       "--watermark",
	"taskId":          "--task-id",
	"name":            "--name",
	"recoveryWindow":  "--recovery-window",
	"deadline":        "--deadline",
	"onUnknownSubmit": "--on-unknown-submit",
}

// usage has an error of the workflow's validation name the flag.
func usage(err error) error {
	if err == nil {
		return nil
	}
	field, rest, _ := strings.Cut(err.Error(), " ")
	if flag, ok := flags[field]; ok {
		return command.Usagef("%s %s", flag, rest)
	}
	return command.Usagef("%w", err)
}

// readInput reads a request given as text, @FILE or -.
func readInput(ctx context.Context, source string, stdin io.Reader) ([]byte, error) {
	var from io.Reader
	switch path, isFile := strings.CutPrefix(source, "@"); {
	case source == "-":
		from = stdin
	case isFile:
		file, err := os.Open(path)
		if err != nil {
			return nil, command.Usagef("--input: %w", err)
		}
		defer file.Close()
		from = file
	default:
		from = strings.NewReader(source)
	}
	data, err := readAll(ctx, io.LimitReader(from, maxInput+1))
	switch {
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("--input: interrupted: %w", err)
	case err != nil:
		return nil, command.Usagef("--input: %w", err)
	case len(data) > maxInput:
		return nil, command.Usagef("--input is larger than 1 MiB")
	}
	return data, nil
}

// readAll is io.ReadAll that Ctrl-C ends: a read from a terminal knows no
// context.
func readAll(ctx context.Context, from io.Reader) ([]byte, error) {
	type read struct {
		data []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		data, err := io.ReadAll(from)
		done <- read{data, err}
	}()
	select {
	case got := <-done:
		return got.data, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
