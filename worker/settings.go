package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/callback"
	"lumaflow/internal/command"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/store"
)

// Settings are the worker's flags and environment variables. Its methods make the
// dependencies of a worker from them, for the worker and for the doctor. Their
// errors name the variable, and are usage errors if the setting itself is wrong.
type Settings struct {
	KieAPIKey         string         `name:"kie-api-key" env:"KIE_API_KEY" secret:"" placeholder:"KEY" help:"API key of the kie.ai account (https://kie.ai/api-key). Required."`
	KieBaseURL        string         `env:"KIE_BASE_URL" default:"https://api.kie.ai" placeholder:"URL" help:"Base URL of kie.ai's API (${default})."`
	CallbackBaseURL   string         `env:"CALLBACK_BASE_URL" placeholder:"URL" help:"Public address of the webhook. Empty: no callbacks, polling only."`
	CallbackSecret    string         `env:"CALLBACK_SECRET" secret:"" placeholder:"SECRET" help:"Signs the callback address of each job; the webhook needs the same. At least 32 bytes; several, comma-separated: the first signs, all verify."`
	OutputURL         string         `env:"OUTPUT_URL" default:"./videos" placeholder:"URL" help:"Destination of finished videos: a path, or a file://, s3://, gs:// or azblob:// URL (${default})."`
	WorkDir           string         `env:"WORK_DIR" placeholder:"DIR" help:"Folder of partial downloads. Default: a folder in the user cache."`
	ManifestDirs      []string       `env:"MANIFEST_DIRS" placeholder:"DIR" help:"Folders whose files batches may name as their manifest, beside those of OUTPUT_URL: absolute paths, comma-separated."`
	TaskQueue         string         `env:"TASK_QUEUE" default:"lumaflow" help:"Temporal task queue; submissions use the same name with -submit."`
	SubmitsPerSecond  float64        `env:"SUBMITS_PER_SECOND" default:"2" help:"Submissions per second of all workers together (kie.ai accepts 20 in 10 s)."`
	PollAfter         *time.Duration `env:"POLL_AFTER" placeholder:"DURATION" help:"Time to wait for a callback before the first poll. Default: 10m for Luma Modify, one and a half times the usual time of any other model."`
	PollInterval      time.Duration  `env:"POLL_INTERVAL" default:"30s" help:"Pause between polls."`
	DeploymentName    string         `env:"TEMPORAL_DEPLOYMENT_NAME" placeholder:"NAME" help:"Temporal worker deployment that this worker belongs to; jobs then stay with the version they began on. Empty: no versions."`
	BuildID           string         `name:"build-id" env:"TEMPORAL_WORKER_BUILD_ID" placeholder:"ID" help:"Version of the code within the deployment. Default: the revision this build was made from."`
	GalleryURL        string         `name:"gallery-url" env:"GALLERY_URL" placeholder:"URL" help:"Address of the gallery in the browser: each job that is done links to it in the Temporal UI. Empty: no links."`
	FetchAllowPrivate bool           `env:"FETCH_ALLOW_PRIVATE" help:"Allow links of results and sources with http and to private addresses (development)."`
	FetchAllowHosts   []string       `env:"FETCH_ALLOW_HOSTS" placeholder:"HOST" help:"Fetch results and sources from these hosts and their subdomains only. Default: any public host."`
	KeepSource        bool           `env:"KEEP_SOURCE" help:"Keep a copy of each source video beside its result."`
}

// Pace rejects a task queue, a submission rate or poll intervals out of range.
func (s *Settings) Pace() error {
	switch {
	case s.TaskQueue == "":
		return command.Usagef("TASK_QUEUE is empty: leave it unset for the default")
	case s.SubmitsPerSecond <= 0 || s.SubmitsPerSecond > 1000:
		return command.Usagef("SUBMITS_PER_SECOND is %g: give a number above 0, at most 1000", s.SubmitsPerSecond)
	case s.PollInterval < time.Second/10:
		return command.Usagef("POLL_INTERVAL is %s: give at least 100ms", s.PollInterval)
	case s.PollAfter != nil && *s.PollAfter < 0:
		return command.Usagef("POLL_AFTER is %s: give a duration that is not negative", *s.PollAfter)
	}
	return nil
}

// defaultPollAfter is the delay of the first poll of a task of Luma Modify.
const defaultPollAfter = 10 * time.Minute

// FirstPoll is the delay of the first poll of a task whose callback is expected. byModel
// means that it is that of Luma Modify alone.
func (s *Settings) FirstPoll() (delay time.Duration, byModel bool) {
	if s.PollAfter == nil {
		return defaultPollAfter, true
	}
	return *s.PollAfter, false
}

// Manifests are the folders whose manifests batches may name: MANIFEST_DIRS, and the
// output if that is a folder.
func (s *Settings) Manifests() ([]string, error) {
	for _, folder := range s.ManifestDirs {
		if !filepath.IsAbs(folder) {
			return nil, command.Usagef("MANIFEST_DIRS has %q: give absolute paths, comma-separated", folder)
		}
	}
	folders := slices.Clone(s.ManifestDirs)
	if output, ok := store.Folder(s.OutputURL); ok {
		folders = append(folders, output)
	}
	return folders, nil
}

// Gallery rejects an address of the gallery that is no plain http or https URL, or has
// a token, which would be visible in Temporal.
func (s *Settings) Gallery() error {
	if s.GalleryURL == "" {
		return nil
	}
	parsed, err := url.Parse(s.GalleryURL)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.RawQuery+parsed.Fragment != "" ||
		strings.ContainsAny(s.GalleryURL, " ()<>\"") {
		return command.Usagef("GALLERY_URL is malformed: give the address of the gallery without its token, like http://localhost:8088")
	}
	return nil
}

// Callbacks makes the minter of callback URLs and the secrets that verify them.
// The minter is nil if CALLBACK_BASE_URL is not set.
func (s *Settings) Callbacks() (*callback.Minter, callback.Secrets, error) {
	switch {
	case s.CallbackSecret == "" && s.CallbackBaseURL == "":
		return nil, callback.Secrets{}, nil
	case s.CallbackSecret == "":
		return nil, callback.Secrets{}, command.Usagef("CALLBACK_SECRET is not set but CALLBACK_BASE_URL is: make one with `openssl rand -base64 48` and give the webhook the same")
	}
	secrets, err := callback.ParseSecrets(s.CallbackSecret)
	if err != nil {
		return nil, secrets, command.Usagef("%w", err)
	}
	if s.CallbackBaseURL == "" {
		return nil, secrets, nil
	}
	minter, err := callback.NewMinter(s.CallbackBaseURL, secrets)
	if err != nil {
		return nil, secrets, command.Usagef("%w", err)
	}
	return minter, secrets, nil
}

// Provider makes the client of kie.ai. It sends no request.
func (s *Settings) Provider(logger *slog.Logger) (*kie.Client, error) {
	if s.KieAPIKey == "" {
		return nil, command.Usagef("KIE_API_KEY is not set: make a key at https://kie.ai/api-key")
	}
	provider, err := kie.New(kie.Options{BaseURL: s.KieBaseURL, APIKey: s.KieAPIKey, UserAgent: userAgent(), Logger: logger})
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	return provider, nil
}

// Store opens the store of finished videos and checks that it can be written and
// read.
func (s *Settings) Store(ctx context.Context) (store.Store, error) {
	videos, err := store.Open(ctx, s.OutputURL)
	if err != nil {
		if _, malformed := errors.AsType[*store.URLError](err); malformed {
			err = command.Usagef("%w", err)
		}
		return nil, err
	}
	if err := videos.Check(ctx); err != nil {
		return nil, err
	}
	return videos, nil
}

// Fetcher makes the downloader and checks that its work directory can be written.
func (s *Settings) Fetcher(logger *slog.Logger) (*fetch.Fetcher, error) {
	folder, err := s.workDir()
	if err != nil {
		return nil, err
	}
	return fetch.New(fetch.Options{
		WorkDir:      folder,
		AllowPrivate: s.FetchAllowPrivate,
		AllowHosts:   s.FetchAllowHosts,
		UserAgent:    userAgent(),
		Logger:       logger,
	})
}

// workDir is the folder of temporary files.
func (s *Settings) workDir() (string, error) {
	if s.WorkDir != "" {
		return s.WorkDir, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", command.Usagef("WORK_DIR is not set and there is no user cache folder: %w", err)
	}
	return filepath.Join(cache, "lumaflow", "work"), nil
}

// CheckProxy checks that results can be downloaded through the proxy of the
// environment, before anything is paid: by FETCH_ALLOW_HOSTS, or by the example of
// kie.ai's own host. It returns the host and port of the proxy, empty without one.
func (s *Settings) CheckProxy(ctx context.Context, fetcher *fetch.Fetcher) (string, error) {
	examples := []string{s.KieBaseURL, kie.DefaultBaseURL}
	if s.FetchAllowPrivate {
		// A simulated kie.ai serves the results too.
		examples = examples[:1]
	}
	return fetcher.CheckProxy(ctx, examples...)
}

func userAgent() string { return kie.UserAgent(command.Version()) }
