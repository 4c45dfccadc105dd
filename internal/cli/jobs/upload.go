package starter

import (
	"context"
	"fmt"
	"io"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/workflows"
)

// uploads are the settings that a video on this machine takes.
type uploads struct {
	KieAPIKey        string `name:"kie-api-key" env:"KIE_API_KEY" placeholder:"KEY" help:"API key of the kie.ai account (https://kie.ai/api-key). Needed to upload a file."`
	KieUploadBaseURL string `env:"KIE_UPLOAD_BASE_URL" default:"https://kieai.redpandaai.co" placeholder:"URL" help:"Where kie.ai takes uploads (${default})."`
}

// host is where videos are uploaded to. Its errors are usage errors.
func (u uploads) host() (*kie.Client, error) {
	if u.KieAPIKey == "" {
		return nil, command.Usagef("KIE_API_KEY is not set, and a file has to be uploaded to kie.ai: make a key at https://kie.ai/api-key")
	}
	host, err := kie.New(kie.Options{
		UploadBaseURL: u.KieUploadBaseURL,
		APIKey:        u.KieAPIKey,
		UserAgent:     kie.UserAgent(command.Version()),
	})
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	return host, nil
}

// order is a job that is asked for, with its video if that is on this machine.
type order struct {
	input workflows.ModifyVideoInput
	video *clip.Clip
	host  *kie.Client
}

// addVideo checks the file at a path, before anything is dialled.
func (o *order) addVideo(ctx context.Context, path string, settings uploads) (err error) {
	if o.host, err = settings.host(); err != nil {
		return err
	}
	if o.video, err = clip.Open(ctx, path); err != nil {
		return fmt.Errorf("--video: %w", err)
	}
	o.input.VideoURL, o.input.VideoSHA256 = "", o.video.SHA256()
	return nil
}

// through has s upload the video of the order if that is needed, and tell say.
func (o *order) through(s *Starter, say io.Writer) *Starter {
	if o.video == nil {
		return s
	}
	return s.Uploading(func(ctx context.Context) (clip.Hosted, error) {
		return o.video.Upload(ctx, o.host, say)
	})
}

func (o *order) close() {
	if o.video != nil {
		o.video.Close()
	}
	if o.host != nil {
		o.host.CloseIdleConnections()
	}
}
