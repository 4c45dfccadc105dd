package jobs

import (
	"context"
	"fmt"
	"io"
	"time"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// uploadFlags are the settings for videos on this machine.
type uploadFlags struct {
	KieAPIKey        string `name:"kie-api-key" env:"KIE_API_KEY" placeholder:"KEY" help:"API key of the kie.ai account (https://kie.ai/api-key). Needed to upload a file."`
	KieUploadBaseURL string `env:"KIE_UPLOAD_BASE_URL" default:"https://kieai.redpandaai.co" placeholder:"URL" help:"Address of kie.ai's File Upload API (${default})."`
}

// client returns a client for uploads. Errors are usage errors.
func (f uploadFlags) client() (*kie.Client, error) {
	if f.KieAPIKey == "" {
		return nil, command.Usagef("KIE_API_KEY is not set, and a file has to be uploaded to kie.ai: make a key at https://kie.ai/api-key")
	}
	client, err := kie.New(kie.Options{
		UploadBaseURL: f.KieUploadBaseURL,
		APIKey:        f.KieAPIKey,
		UserAgent:     kie.UserAgent(command.Version()),
	})
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	return client, nil
}

// submission is the input of a job, with its video if that is a file here.
type submission struct {
	input  workflows.ModifyVideoInput
	video  *clip.Clip
	client *kie.Client
}

// addVideo opens and checks a video file.
func (s *submission) addVideo(ctx context.Context, path string, flags uploadFlags) (err error) {
	if s.client, err = flags.client(); err != nil {
		return err
	}
	if s.video, err = clip.Open(ctx, path); err != nil {
		return fmt.Errorf("--video: %w", err)
	}
	s.input.VideoURL, s.input.VideoSHA256 = "", s.video.SHA256()
	return nil
}

// through returns a job client that uploads the file, if there is one, before it
// starts a job. Progress goes to out.
func (s *submission) through(jobs *starter.Starter, out io.Writer) *starter.Starter {
	if s.video == nil {
		return jobs
	}
	return jobs.Uploading(func(ctx context.Context) (url string, expires time.Time, err error) {
		hosted, err := s.video.Upload(ctx, s.client, out)
		return hosted.URL, hosted.Expires, err
	})
}

func (s *submission) close() {
	if s.video != nil {
		_ = s.video.Close()
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
}
