package dial_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"lumaflow/internal/command"
	"lumaflow/internal/temporal/dial"
)

const (
	apiKey   = "secret-api-key-0123456789"
	codecKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	otherKey = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// env is an environment whose profile file is empty unless it names one.
type env map[string]string

func (e env) LookupEnv(key string) (string, bool) {
	value, ok := e[key]
	if !ok && key == "TEMPORAL_CONFIG_FILE" {
		return os.DevNull, true
	}
	return value, ok
}

func (e env) Environ() []string {
	var all []string
	for key, value := range e {
		all = append(all, key+"="+value)
	}
	return all
}

// frontend is a Temporal server with the requests of these tests.
type frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	namespaces []string
	failure    error
	hang       func() // if set, called by DescribeNamespace, which then blocks until its context ends
	keys       chan string
	signals    chan string
	inputs     chan *commonpb.Payloads
	answer     *commonpb.Payloads // to queries
}

func (f *frontend) GetSystemInfo(ctx context.Context, _ *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	if f.keys != nil {
		headers, _ := metadata.FromIncomingContext(ctx)
		f.keys <- strings.Join(headers.Get("authorization"), "")
	}
	return &workflowservice.GetSystemInfoResponse{}, nil
}

func (f *frontend) DescribeNamespace(ctx context.Context, request *workflowservice.DescribeNamespaceRequest) (*workflowservice.DescribeNamespaceResponse, error) {
	switch {
	case f.hang != nil:
		f.hang()
		<-ctx.Done()
		return nil, ctx.Err()
	case f.failure != nil:
		return nil, f.failure
	case !slices.Contains(f.namespaces, request.GetNamespace()):
		return nil, serviceerror.ToStatus(serviceerror.NewNamespaceNotFound(request.GetNamespace())).Err()
	}
	return &workflowservice.DescribeNamespaceResponse{}, nil
}

func (f *frontend) SignalWorkflowExecution(ctx context.Context, request *workflowservice.SignalWorkflowExecutionRequest) (*workflowservice.SignalWorkflowExecutionResponse, error) {
	if f.inputs != nil {
		f.inputs <- request.GetInput()
	}
	headers, _ := metadata.FromIncomingContext(ctx)
	f.signals <- request.GetWorkflowExecution().GetWorkflowId() + "|" +
		strings.Join(headers.Get("temporal-resource-id"), ",") + "|" + strings.Join(headers.Get("temporal-namespace"), ",")
	return &workflowservice.SignalWorkflowExecutionResponse{}, nil
}

func (f *frontend) QueryWorkflow(context.Context, *workflowservice.QueryWorkflowRequest) (*workflowservice.QueryWorkflowResponse, error) {
	return &workflowservice.QueryWorkflowResponse{QueryResult: f.answer}, nil
}

func (f *frontend) start(t *testing.T) (address string) { return f.startAt(t, "127.0.0.1:0") }

func (f *frontend) startAt(t *testing.T, address string) string { return serve(t, address, f) }

func serve(t *testing.T, address string, service workflowservice.WorkflowServiceServer, options ...grpc.ServerOption) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	server := grpc.NewServer(options...)
	workflowservice.RegisterWorkflowServiceServer(server, service)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		assert.NoError(t, <-stopped)
	})
	return listener.Addr().String()
}

func TestTemporal(t *testing.T) {
	server := &frontend{namespaces: []string{"default", "studio"}, keys: make(chan string, 10)}
	address := server.start(t)
	for _, e := range []env{
		{"TEMPORAL_ADDRESS": address},
		{"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "studio"},
		{"TEMPORAL_ADDRESS": "passthrough:///" + address, "TEMPORAL_NAMESPACE": "studio"},
	} {
		c, err := dial.Temporal(t.Context(), dial.Options{Env: e})
		require.NoError(t, err)
		assert.Empty(t, <-server.keys)
		c.Close()
	}

	c, err := dial.Temporal(t.Context(), dial.Options{Env: env{
		"TEMPORAL_ADDRESS": address, "TEMPORAL_API_KEY": apiKey, "TEMPORAL_TLS": "false",
	}})
	require.NoError(t, err)
	defer c.Close()
	assert.Equal(t, "Bearer "+apiKey, <-server.keys)
}

// The SDK alone cannot signal most of these ids.
func TestAnyWorkflowIDWorks(t *testing.T) {
	server := &frontend{namespaces: []string{"default"}, signals: make(chan string, 1)}
	c, err := dial.Temporal(t.Context(), dial.Options{Env: env{"TEMPORAL_ADDRESS": server.start(t)}})
	require.NoError(t, err)
	defer c.Close()
	for id, header := range map[string]string{
		"luma-1": "workflow:luma-1", "a b/~": "workflow:a b/~", "é": "", "日本語/🎬": "", "a\nb": "", "\x00": "", "\x7f": "",
	} {
		require.NoError(t, c.SignalWorkflow(t.Context(), id, "", "callback", nil), "%q", id)
		assert.Equal(t, id+"|"+header+"|default", <-server.signals)
	}
}

func TestPayloadsAreEncrypted(t *testing.T) {
	server := &frontend{namespaces: []string{"default"}, signals: make(chan string, 1), inputs: make(chan *commonpb.Payloads, 1)}
	address := server.start(t)
	for _, worker := range []bool{false, true} {
		for _, set := range []string{"", "main:" + codecKey} {
			e := env{"TEMPORAL_ADDRESS": address, "CODEC_KEYS": set}
			c, err := dial.Temporal(t.Context(), dial.Options{Env: e, Worker: worker})
			require.NoError(t, err)
			require.NoError(t, c.SignalWorkflow(t.Context(), "luma-1", "", "callback", "snow"))
			c.Close()
			<-server.signals
			input := <-server.inputs
			want := "json/plain"
			if set != "" {
				want = "binary/encrypted"
			}
			assert.Equal(t, want, string(input.GetPayloads()[0].GetMetadata()["encoding"]))
			settings, err := dial.Load(e)
			require.NoError(t, err)
			var text string
			require.NoError(t, settings.Codec.ForClient().Data.FromPayloads(input, &text))
			assert.Equal(t, "snow", text)
		}
	}
}

func TestSettings(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(profile, []byte("[profile.cloud]\naddress = \"cloud.example.org:7233\"\nnamespace = \"studio.a1\"\n"), 0o600))
	tests := []struct {
		name string
		env  env
		want dial.Settings
	}{
		{"defaults", env{}, dial.Settings{Address: "localhost:7233", Namespace: "default"}},
		{
			"variables", env{"TEMPORAL_ADDRESS": "temporal:7233", "TEMPORAL_NAMESPACE": "studio"},
			dial.Settings{Address: "temporal:7233", Namespace: "studio"},
		},
		{
			"profile", env{"TEMPORAL_CONFIG_FILE": profile, "TEMPORAL_PROFILE": "cloud"},
			dial.Settings{Address: "cloud.example.org:7233", Namespace: "studio.a1"},
		},
		{
			"variable over profile", env{"TEMPORAL_CONFIG_FILE": profile, "TEMPORAL_PROFILE": "cloud", "TEMPORAL_NAMESPACE": "other"},
			dial.Settings{Address: "cloud.example.org:7233", Namespace: "other"},
		},
		{"IPv6", env{"TEMPORAL_ADDRESS": "[::1]:7233"}, dial.Settings{Address: "[::1]:7233", Namespace: "default"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			settings, err := dial.Load(test.env)
			require.NoError(t, err)
			assert.Equal(t, test.want, settings)
		})
	}
}

func TestMalformedSettingsAreUsageErrors(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(broken, []byte("[profile.default]\naddress = \"x:1\"\napi_key = "+apiKey+"\n"), 0o600))
	tests := []struct {
		name string
		env  env
		want []string
	}{
		{"no port", env{"TEMPORAL_ADDRESS": "temporal.example.org"}, []string{"TEMPORAL_ADDRESS", "host:port"}},
		{"URL", env{"TEMPORAL_ADDRESS": "http://temporal.example.org:7233"}, []string{"TEMPORAL_ADDRESS", "host:port"}},
		{"empty port", env{"TEMPORAL_ADDRESS": "temporal:"}, []string{"TEMPORAL_ADDRESS"}},
		{"password", env{"TEMPORAL_ADDRESS": "me:" + apiKey + "@temporal:7233"}, []string{"TEMPORAL_ADDRESS"}},
		{"key with line break", env{"TEMPORAL_API_KEY": apiKey + "\n"}, []string{"TEMPORAL_API_KEY", "line breaks"}},
		{"unknown profile", env{"TEMPORAL_PROFILE": "cluod"}, []string{"TEMPORAL_*", "profile cluod"}},
		{"no certificate", env{"TEMPORAL_TLS_CLIENT_CERT_PATH": "/none.pem", "TEMPORAL_TLS_CLIENT_KEY_PATH": "/none.key"}, []string{"TEMPORAL_*", "/none.pem"}},
		{"half a certificate", env{"TEMPORAL_TLS_CLIENT_CERT_DATA": "x"}, []string{"TEMPORAL_*", "client cert"}},
		{"short codec key", env{"CODEC_KEYS": "main:" + apiKey}, []string{"CODEC_KEYS: key 1 of 1"}},
		{"codec key without an id", env{"CODEC_KEYS": codecKey}, []string{"CODEC_KEYS: key 1 of 1"}},
		{"broken file", env{"TEMPORAL_CONFIG_FILE": broken}, []string{"TEMPORAL_CONFIG_FILE", "line 3"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := dial.Load(test.env)
			_, dialErr := dial.Temporal(t.Context(), dial.Options{Env: test.env})
			assert.Equal(t, err, dialErr)
			requireLine(t, err, test.want...)
			assert.Equal(t, command.ExitUsage, command.ExitCode(err))
		})
	}
}

// closedAddress is an address without a listener.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// logWriter is called for each log line.
type logWriter func(line string)

func (w logWriter) Write(line []byte) (int, error) {
	w(string(line))
	return len(line), nil
}

// With Options.Wait, Temporal logs once that no server answers and then retries.
func TestWait(t *testing.T) {
	t.Parallel()
	server, address := &frontend{namespaces: []string{"default"}}, closedAddress(t)
	var lines []string
	options := func(onLine func()) dial.Options {
		log := logWriter(func(line string) { lines = append(lines, line); onLine() })
		return dial.Options{
			Env: env{"TEMPORAL_ADDRESS": address}, Wait: 3 * time.Second,
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
		}
	}
	_, err := dial.Temporal(t.Context(), options(func() {}))
	requireLine(t, err, "no Temporal server answers at "+address)
	require.Len(t, lines, 1)
	assert.Regexp(t, `level=WARN msg="waiting for Temporal" upTo=3s error="no Temporal server answers at `+address, lines[0])

	ctx, cancel := context.WithCancel(t.Context())
	_, err = dial.Temporal(ctx, options(cancel))
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "stopped before Temporal at "+address+" answered")

	temporal, err := dial.Temporal(t.Context(), options(func() { server.startAt(t, address) }))
	require.NoError(t, err)
	temporal.Close()

	lines = nil
	wrong := options(func() {})
	wrong.Env = env{"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "studio"}
	_, err = dial.Temporal(t.Context(), wrong)
	requireLine(t, err, `there is no namespace "studio"`)
	assert.Empty(t, lines, "a wrong setting is not retried")
}

func TestFailuresNameTheNextCommand(t *testing.T) {
	unused := closedAddress(t)
	tests := []struct {
		name   string
		server *frontend
		env    env
		want   []string
	}{
		{"no listener", nil, env{"TEMPORAL_ADDRESS": unused}, []string{unused, "`temporal server start-dev --db-filename lumaflow.db`", "TEMPORAL_ADDRESS"}},
		{"no such host", nil, env{"TEMPORAL_ADDRESS": "temporal.invalid:7233"}, []string{"temporal.invalid:7233: check that server, or TEMPORAL_ADDRESS"}},
		{"TLS to a server without", &frontend{}, env{"TEMPORAL_API_KEY": apiKey}, []string{"no Temporal server answers"}},
		{
			"no such namespace", &frontend{}, env{"TEMPORAL_NAMESPACE": "studio"},
			[]string{`"studio"`, "`temporal operator namespace create -n studio`", "TEMPORAL_NAMESPACE"},
		},
		{"key rejected", &frontend{failure: status.Error(codes.Unauthenticated, "bad key "+apiKey)}, env{}, []string{"TEMPORAL_API_KEY"}},
		{"no permission", &frontend{failure: status.Error(codes.PermissionDenied, "no")}, env{}, []string{"TEMPORAL_API_KEY"}},
		{
			"long error text", &frontend{failure: status.Error(codes.FailedPrecondition, "line\nline "+apiKey+strings.Repeat(" é", 1000))},
			env{}, []string{"can't use Temporal", "line line [redacted]"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.server != nil {
				test.env["TEMPORAL_ADDRESS"] = test.server.start(t)
				if _, ok := test.env["TEMPORAL_API_KEY"]; !ok {
					test.env["TEMPORAL_API_KEY"], test.env["TEMPORAL_TLS"] = apiKey, "false"
				}
			}
			var log bytes.Buffer
			_, err := dial.Temporal(t.Context(), dial.Options{Env: test.env, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			requireLine(t, err, test.want...)
			assert.Equal(t, command.ExitFailed, command.ExitCode(err))
			assert.NotContains(t, log.String(), apiKey)
		})
	}
}

func requireLine(t *testing.T, err error, want ...string) {
	t.Helper()
	require.Error(t, err)
	for _, part := range want {
		require.ErrorContains(t, err, part)
	}
	assert.NotContains(t, err.Error(), "\n")
	assert.NotContains(t, err.Error(), apiKey)
	assert.NotContains(t, err.Error(), codecKey)
	assert.Less(t, len(err.Error()), 600)
}

func TestCheckEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := &frontend{hang: cancel}
	_, err := dial.Temporal(ctx, dial.Options{Env: env{"TEMPORAL_ADDRESS": server.start(t)}})
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	server = &frontend{hang: func() {}}
	_, err = dial.Temporal(ctx, dial.Options{Env: env{"TEMPORAL_ADDRESS": server.start(t)}})
	requireLine(t, err, "no Temporal server answers")
}
