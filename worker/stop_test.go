package worker_test

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/callback"
	"lumaflow/internal/command"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/temporal/devserver"
	"lumaflow/starter"
	"lumaflow/webhook"
	"lumaflow/worker"
	"lumaflow/workflows"
)

// After a job, a worker and a webhook that stop leave no goroutine and no open
// file behind.
func TestNothingIsLeftAfterAStop(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Temporal dev server")
	}
	server, err := devserver.Start(t.Context(), devserver.Options{Progress: os.Stderr})
	require.NoError(t, err)
	defer server.Stop()
	kie, err := kietest.New(kietest.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, kie.Close()) }()
	provider := httptest.NewServer(kie)
	defer provider.Close()
	folder := t.TempDir()
	secret := strings.Repeat("s", 32)
	before := goleak.IgnoreCurrent()

	running, stop := context.WithCancel(t.Context())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	secrets, err := callback.ParseSecrets(secret)
	require.NoError(t, err)
	logging := command.Logging{Format: "text"}
	logger := logging.Logger(t.Output())
	handler := webhook.New(webhook.Options{Signaler: webhook.NewSignaler(server.Client()), Namespace: "default", Secrets: secrets, Logger: logger})
	ended := make(chan error, 2)
	go func() { ended <- webhook.Serve(running, listener, handler, logger) }()
	work := &worker.Command{
		Settings: worker.Settings{
			KieAPIKey:         "any",
			KieBaseURL:        provider.URL,
			CallbackBaseURL:   "http://" + listener.Addr().String(),
			CallbackSecret:    secret,
			OutputURL:         filepath.Join(folder, "videos"),
			WorkDir:           filepath.Join(folder, "work"),
			TaskQueue:         workflows.DefaultTaskQueue,
			SubmitsPerSecond:  10,
			PollAfter:         new(20 * time.Second),
			PollInterval:      time.Second,
			FetchAllowPrivate: true,
		},
		Flags:   telemetry.Flags{MetricsListen: "127.0.0.1:0"},
		Logging: logging,
		Env:     settings{"TEMPORAL_ADDRESS": server.Address()},
	}
	go func() { ended <- work.Run(running, command.Streams{Out: t.Output(), Err: t.Output()}) }()

	jobs := starter.New(server.Client(), starter.Options{})
	job, err := jobs.Submit(t.Context(), workflows.ModifyVideoInput{Prompt: "snow [fault: reset]", VideoURL: "https://cdn.example.org/in.mp4"}, "")
	require.NoError(t, err)
	var result workflows.ModifyVideoResult
	require.NoError(t, server.Client().GetWorkflow(t.Context(), job.WorkflowID, "").Get(t.Context(), &result))
	require.Len(t, result.Videos, 1)

	stop()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	provider.CloseClientConnections()
	goleak.VerifyNone(t, before)
	require.Empty(t, openBelow(folder))
}

// openBelow returns the open files of this process in a folder, on systems with
// /proc.
func openBelow(folder string) (open []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err == nil && strings.HasPrefix(target, folder) {
			open = append(open, target)
		}
	}
	return open
}

// settings holds Temporal's environment variables.
type settings map[string]string

func (s settings) LookupEnv(key string) (string, bool) { value, ok := s[key]; return value, ok }
func (s settings) Environ() []string                   { return nil }
