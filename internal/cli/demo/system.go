package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/callback"
	gallerycommand "lumaflow/internal/cli/gallery"
	"lumaflow/internal/command"
	"lumaflow/internal/command/serving"
	"lumaflow/internal/gallery"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/internal/temporal/codec"
	"lumaflow/internal/temporal/devserver"
	"lumaflow/internal/temporal/dial"
	"lumaflow/starter"
	"lumaflow/webhook"
	"lumaflow/worker"
	"lumaflow/workflows"
)

const (
	namespace = "default"
	// apiKey is any key: the simulated kie.ai accepts all.
	apiKey = "demo"
	// render is the duration of a simulated generation. pollAfter is longer, so
	// that a callback wakes the job before the first poll.
	render    = 3 * time.Second
	pollAfter = 8 * time.Second
)

// system is the set of running parts of the demo.
type system struct {
	server  *devserver.Server
	env     settings
	client  client.Client
	kie     *kietest.Server
	kieURL  string
	starter *starter.Starter
	// gallery is its address, empty without --keep.
	gallery string
	output  string
	videos  store.Store
	keep    bool
	// encrypted is true if CODEC_KEYS is set.
	encrypted bool

	folder  string
	logFile *os.File
	cancel  context.CancelFunc
	running *errgroup.Group
}

// start starts the Temporal dev server, the simulated kie.ai, the webhook and the
// worker. Their logs go to a file, which is kept if the demo fails.
func start(ctx context.Context, c *Command, streams command.Streams) (_ *system, err error) {
	keys := os.Getenv(codec.Variable)
	encryption, err := codec.ParseKeys(keys)
	if err != nil {
		return nil, command.Usagef("%w", err)
	}
	s := &system{output: c.OutputURL, keep: c.Keep, encrypted: encryption.Encrypts()}
	if s.folder, err = os.MkdirTemp("", "lumaflow-demo-"); err != nil {
		return nil, fmt.Errorf("start the demo: %w", err)
	}
	running, cancel := context.WithCancel(ctx)
	s.cancel = cancel
	s.running, running = errgroup.WithContext(running)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop(true))
		}
	}()
	if s.logFile, err = os.Create(filepath.Join(s.folder, "demo.log")); err != nil {
		return nil, fmt.Errorf("start the demo: %w", err)
	}
	logger := slog.New(slog.NewTextHandler(s.logFile, nil))

	_, _ = fmt.Fprintln(streams.Err, "Starting the Temporal dev server, a simulated kie.ai, the webhook and the worker …")
	if s.server, err = devserver.Start(ctx, devserver.Options{
		UI:                true,
		UIPort:            c.UIPort,
		KeywordAttributes: workflows.SearchAttributes,
		Progress:          streams.Err,
		Log:               s.logFile,
		Logger:            logger,
	}); err != nil {
		return nil, err
	}
	s.env = settings{"TEMPORAL_ADDRESS": s.server.Address(), "TEMPORAL_NAMESPACE": namespace, codec.Variable: keys}
	if s.client, err = dial.Temporal(ctx, dial.Options{Logger: logger, Env: s.env}); err != nil {
		return nil, err
	}
	s.starter = starter.New(s.client, starter.Options{Interval: 500 * time.Millisecond, Codec: encryption})
	if err := s.startSimulator(running, logger); err != nil {
		return nil, err
	}
	if s.keep {
		if err := s.startGallery(running, logger); err != nil {
			return nil, err
		}
	}
	secret := rand.Text() + rand.Text()
	hooks, err := s.startWebhook(running, secret, logger)
	if err != nil {
		return nil, err
	}
	return s, s.startWorker(running, secret, hooks)
}

func (s *system) startSimulator(ctx context.Context, logger *slog.Logger) error {
	options := kietest.Options{Render: render, Logger: logger}
	if modify, ok := kietest.FFmpeg(); ok {
		options.Modify = modify
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start the simulated kie.ai: %w", err)
	}
	s.kieURL = "http://" + listener.Addr().String()
	if s.kie, err = kietest.New(options); err != nil { //nolint:contextcheck // its tasks last until Close, not until the end of a request
		_ = listener.Close()
		return fmt.Errorf("start the simulated kie.ai: %w", err)
	}
	server := &http.Server{Handler: s.kie, ReadHeaderTimeout: 10 * time.Second}
	s.running.Go(func() error { return serving.Run(ctx, listener, server, "simulator", time.Second, logger) })
	return nil
}

func (s *system) startWebhook(ctx context.Context, secret string, logger *slog.Logger) (url string, err error) {
	secrets, err := callback.ParseSecrets(secret)
	if err != nil {
		return "", fmt.Errorf("start the webhook: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("start the webhook: %w", err)
	}
	handler := webhook.New(webhook.Options{
		Signaler:  webhook.NewSignaler(s.client),
		Namespace: namespace,
		Secrets:   secrets,
		Logger:    logger,
	})
	s.running.Go(func() error { return webhook.Serve(ctx, listener, handler, logger) })
	return "http://" + listener.Addr().String(), nil
}

// startGallery serves the stored videos, on the port of lumaflow gallery if that is
// free.
func (s *system) startGallery(ctx context.Context, logger *slog.Logger) error {
	videos, err := store.Open(ctx, s.output)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:8088")
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return fmt.Errorf("start the gallery: %w", err)
	}
	s.gallery = "http://" + listener.Addr().String()
	shown, _, _ := strings.Cut(s.output, "?")
	s.running.Go(func() error {
		return gallerycommand.Serve(ctx, listener, videos, gallery.Options{TemporalUI: s.server.UIURL(), Namespace: namespace, Shown: shown, Logger: logger})
	})
	return nil
}

// startWorker runs the worker command.
func (s *system) startWorker(ctx context.Context, secret, hooks string) error {
	work := &worker.Command{
		Settings: worker.Settings{
			KieAPIKey:         apiKey,
			KieBaseURL:        s.kieURL,
			CallbackBaseURL:   hooks,
			CallbackSecret:    secret,
			OutputURL:         s.output,
			WorkDir:           filepath.Join(s.folder, "work"),
			TaskQueue:         workflows.DefaultTaskQueue,
			SubmitsPerSecond:  2,
			PollAfter:         new(pollAfter),
			PollInterval:      2 * time.Second,
			FetchAllowPrivate: true,
			GalleryURL:        s.gallery,
			KeepSource:        true,
		},
		Logging: command.Logging{Format: "text"},
		Env:     s.env,
	}
	// An error of the output folder must be reported before the jobs start.
	ready := make(chan error, 1)
	s.running.Go(func() error {
		err := work.Run(ctx, command.Streams{Out: s.logFile, Err: &readyWriter{s.logFile, ready}})
		select {
		case ready <- err:
		default:
		}
		return err
	})
	select {
	case err := <-ready:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	var err error
	s.videos, err = store.Open(ctx, s.output)
	return err
}

// readyWriter forwards a log and reports the line of a started worker.
type readyWriter struct {
	log   io.Writer
	ready chan error
}

func (w *readyWriter) Write(line []byte) (int, error) {
	if strings.Contains(string(line), "worker running") {
		select {
		case w.ready <- nil:
		default:
		}
	}
	return w.log.Write(line)
}

// settings holds Temporal's environment variables. Environ serves only
// TEMPORAL_GRPC_META_*, which the demo does not set.
type settings map[string]string

func (s settings) LookupEnv(key string) (string, bool) { value, ok := s[key]; return value, ok }

func (settings) Environ() []string { return nil }

// stop ends all parts. An error of the shutdown is only logged.
func (s *system) stop(failed bool) error {
	s.cancel()
	err := s.running.Wait()
	if s.client != nil {
		s.client.Close()
	}
	if s.server != nil {
		s.server.Stop()
	}
	if s.kie != nil {
		_ = s.kie.Close()
	}
	if s.logFile != nil {
		if err != nil {
			_, _ = fmt.Fprintln(s.logFile, "demo ended with:", strconv.Quote(err.Error()))
		}
		_ = s.logFile.Close()
	}
	if failed {
		return fmt.Errorf("the log of the demo is at %s", filepath.Join(s.folder, "demo.log"))
	}
	return os.RemoveAll(s.folder)
}
