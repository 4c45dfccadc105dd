package jobs

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// maxInput bounds a request given as JSON, in bytes.
const maxInput = 1 << 20

// request reads the job from the flags. Errors are usage errors that name the
// flag. The caller closes the job request.
func (c *SubmitCommand) request(ctx context.Context, stdin io.Reader) (*jobRequest, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Input == "" {
		return c.requestInFlags(ctx, stdin)
	}
	data, err := readInput(ctx, c.Input, stdin)
	if err != nil {
		return nil, err
	}
	input, err := workflows.ParseInput(data)
	if err != nil {
		return nil, command.Usagef("--input: %w", err)
	}
	if err := starter.CheckModel(input); err != nil {
		return nil, command.Usagef("--input: %w; nothing is started", err)
	}
	return &jobRequest{input: input}, nil
}

func (c *SubmitCommand) requestInFlags(ctx context.Context, stdin io.Reader) (*jobRequest, error) {
	if err := c.checkJob(); err != nil {
		return nil, err
	}
	request := &jobRequest{input: c.input()}
	var err error
	if request.input.Options, err = c.modelOptions(ctx, stdin); err != nil {
		return nil, err
	}
	if err := starter.CheckModel(request.input); err != nil {
		return nil, command.Usagef("%w; nothing is started", err)
	}
	path, local, err := clip.Local(c.Video)
	if err != nil {
		return nil, fmt.Errorf("--video: %w", err)
	}
	if !local || c.TaskID != "" {
		return request, flagError(request.input.Validate())
	}
	if err := flagError(request.input.ValidateBeforeUpload()); err != nil {
		return nil, err
	}
	if err := request.addVideo(ctx, path, c.uploadFlags); err != nil {
		request.close()
		return nil, err
	}
	return request, nil
}

// input is the job in the flags.
func (c *SubmitCommand) input() workflows.ModifyVideoInput {
	return workflows.ModifyVideoInput{
		Prompt:          c.Prompt,
		Model:           string(c.Model),
		Unchecked:       c.Unchecked,
		VideoURL:        c.Video,
		Watermark:       c.Watermark,
		TaskID:          c.TaskID,
		Name:            c.Name,
		RecoveryWindow:  c.RecoveryWindow,
		Deadline:        c.Deadline,
		OnUnknownSubmit: c.OnUnknownSubmit,
	}
}

// check rejects flags that exclude each other or are out of range.
func (c *SubmitCommand) check() error {
	if err := cmp.Or(checkTaskQueue(c.TaskQueue), checkTimeout(c.Timeout)); err != nil {
		return err
	}
	switch {
	case c.Timeout != 0 && !c.Wait:
		return command.Usagef("--timeout needs --wait")
	case c.ID != "" && c.Key != "":
		return command.Usagef("--id and --key exclude each other: the key is part of a derived id")
	case c.ID != "" && (len(c.ID) > maxID || !utf8.ValidString(c.ID) || strings.TrimSpace(c.ID) != c.ID):
		return command.Usagef("--id must be at most %d bytes of text without blanks around it", maxID)
	case c.Input != "" && (!reflect.DeepEqual(c.input(), workflows.ModifyVideoInput{}) || c.Options != "" || len(c.Option) > 0):
		return command.Usagef("--input holds the whole job: leave out --prompt, --video, --model, --option, --options, --watermark, --task-id, --name, --recovery-window, --deadline and --on-unknown-submit")
	default:
		return nil
	}
}

// checkJob rejects the frequent mistakes in terms of the flags.
func (c *SubmitCommand) checkJob() error {
	blankPrompt := strings.TrimSpace(c.Prompt) == ""
	switch {
	case c.TaskID != "" && (c.Prompt != "" || c.Video != "" || c.Watermark != "" || len(c.Option) > 0 || c.Options != "" || c.Unchecked || c.RecoveryWindow != "" || c.OnUnknownSubmit != ""):
		return command.Usagef("--task-id collects a task that exists already: leave out --prompt, --video, --option, --options, --unchecked, --watermark, --recovery-window and --on-unknown-submit")
	case c.TaskID != "":
		return nil
	case blankPrompt && c.Video == "":
		return command.Usagef("the job is missing: give --prompt and --video for a new job, --task-id to collect a task, or --input")
	case blankPrompt:
		return command.Usagef("--prompt is missing: describe the change to the video")
	case c.Video == "":
		return command.Usagef("--video is missing: give a file, or an address that kie.ai can fetch")
	}
	return nil
}

// flagNames are the flags by the fields of the inputs of jobs and batches.
var flagNames = map[string]string{
	"prompt":          "--prompt",
	"videoUrl":        "--video",
	"watermark":       "--watermark",
	"model":           "--model",
	"options":         "--option",
	"taskId":          "--task-id",
	"name":            "--name",
	"recoveryWindow":  "--recovery-window",
	"deadline":        "--deadline",
	"onUnknownSubmit": "--on-unknown-submit",
	"concurrency":     "--concurrency",
	"budget":          "--budget",
	"canary":          "--canary",
	"maxFailureRate":  "--max-failure-rate",
}

// flagError makes an error of the validation one about the flag.
func flagError(err error) error {
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*workflows.FieldError](err); ok && flagNames[wrong.Field] != "" {
		return command.Usagef("%s %s", flagNames[wrong.Field], wrong.Problem)
	}
	return command.Usagef("%w", err)
}

// readInput reads a request given as text, as @FILE or as -.
func readInput(ctx context.Context, source string, stdin io.Reader) ([]byte, error) {
	path, isFile := strings.CutPrefix(source, "@")
	if !isFile && source != "-" {
		// The text itself; - is standard input for readFile.
		path, stdin = "-", strings.NewReader(source)
	}
	data, err := readJSON(ctx, path, stdin)
	switch {
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("--input: interrupted: %w", err)
	case errors.Is(err, errTooLarge):
		return nil, command.Usagef("--input is larger than 1 MiB")
	case err != nil:
		return nil, command.Usagef("--input: %w", err)
	}
	return data, nil
}

// readJSON reads a file of at most maxInput bytes, without its byte order mark.
func readJSON(ctx context.Context, path string, stdin io.Reader) ([]byte, error) {
	data, err := readFile(ctx, path, stdin, maxInput)
	return bytes.TrimPrefix(data, []byte("\ufeff")), err
}

// uploadFlags are the settings for videos on this machine.
type uploadFlags struct {
	KieAPIKey        string `name:"kie-api-key" env:"KIE_API_KEY" secret:"" placeholder:"KEY" help:"API key of the kie.ai account (https://kie.ai/api-key). Needed to upload a file."`
	KieUploadBaseURL string `env:"KIE_UPLOAD_BASE_URL" default:"https://kieai.redpandaai.co" placeholder:"URL" help:"Address of kie.ai's File Upload API (${default})."`
}

// jobRequest is the input of a job, with its video if that is a file here.
type jobRequest struct {
	input  workflows.ModifyVideoInput
	video  *clip.Clip
	client *kie.Client
}

// addVideo opens and checks a video file. Errors about the key and the address are
// usage errors.
func (s *jobRequest) addVideo(ctx context.Context, path string, flags uploadFlags) (err error) {
	if s.video, err = clip.OpenFor(ctx, path, s.input.Model); err != nil {
		return fmt.Errorf("--video: %w", err)
	}
	if flags.KieAPIKey == "" {
		return command.Usagef("KIE_API_KEY is not set, and a file has to be uploaded to kie.ai: make a key at https://kie.ai/api-key")
	}
	s.client, err = kie.New(kie.Options{
		UploadBaseURL: flags.KieUploadBaseURL,
		APIKey:        flags.KieAPIKey,
		UserAgent:     kie.UserAgent(command.Version()),
	})
	if err != nil {
		return command.Usagef("%w", err)
	}
	s.input.VideoURL, s.input.VideoSHA256 = "", s.video.SHA256()
	return nil
}

// through returns a job client that uploads the file, if there is one, before it
// starts a job. Progress goes to out.
func (s *jobRequest) through(jobs *starter.Starter, out io.Writer) *starter.Starter {
	if s.video == nil {
		return jobs
	}
	return jobs.Uploading(func(ctx context.Context) (url string, expires time.Time, err error) {
		hosted, err := s.video.Upload(ctx, s.client, NewUploadDisplay(out, s.video))
		return hosted.URL, hosted.Expires, err
	})
}

func (s *jobRequest) close() {
	if s.video != nil {
		_ = s.video.Close()
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
}
