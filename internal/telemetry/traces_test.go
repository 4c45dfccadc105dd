package telemetry_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/command"
	"lumaflow/internal/telemetry"
	"lumaflow/test/historyfile"
	"lumaflow/workflows"
)

// receiver is an OTLP collector that keeps the received spans.
type receiver struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	bodies []byte
	spans  []*tracepb.Span
	roles  []string
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(_ http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	assert.NoError(r.t, err)
	assert.Equal(r.t, "/v1/traces", request.URL.Path)
	var sent collector.ExportTraceServiceRequest
	assert.NoError(r.t, proto.Unmarshal(body, &sent))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, body...)
	for _, resource := range sent.GetResourceSpans() {
		for _, attribute := range resource.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				r.roles = append(r.roles, attribute.GetValue().GetStringValue())
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			r.spans = append(r.spans, scope.GetSpans()...)
		}
	}
}

// tracing starts tracing to the receiver.
func (r *receiver) tracing(t *testing.T) *telemetry.Traces {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", (&logBuffer{}).logger())
	require.NoError(t, err)
	require.Len(t, traces.Interceptors(), 1)
	return traces
}

func forWorker(traces *telemetry.Traces) []interceptor.WorkerInterceptor {
	return []interceptor.WorkerInterceptor{traces.Interceptors()[0].(interceptor.WorkerInterceptor)}
}

func TestTracesSettings(t *testing.T) {
	for _, test := range []struct {
		name string
		env  map[string]string
		on   bool
		want string
	}{
		{name: "nothing"},
		{name: "an endpoint", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, on: true},
		{name: "an endpoint for traces", env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://127.0.0.1:4318/v1/traces"}, on: true},
		{name: "the exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, on: true},
		{name: "no exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}},
		{name: "disabled", env: map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}},
		{name: "JSON", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, on: true},
		{name: "no scheme", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
			want: "OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https URL, like http://localhost:4318"},
		{name: "a password in the endpoint", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://user:hunter2@collector"},
			want: "OTEL_EXPORTER_OTLP_ENDPOINT is not an http or https URL"},
		{name: "another exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, want: `OTEL_TRACES_EXPORTER is "zipkin": set otlp or none`},
		{name: "gRPC", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"},
			want: `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": set http/protobuf or http/json`},
		{name: "malformed attributes", env: map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "color", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
			want: "OTEL_RESOURCE_ATTRIBUTES can't be used"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", (&logBuffer{}).logger())
			if test.want == "" {
				require.NoError(t, err)
				defer traces.Close()
				assert.Equal(t, test.on, len(traces.Interceptors()) == 1)
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.Equal(t, command.ExitUsage, command.ExitCode(err))
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// OpenTelemetry's errors about settings are logged without the settings.
func TestHeadersAreNotLogged(t *testing.T) {
	log := &logBuffer{}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "hunter2-without-a-name")
	traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", log.logger())
	require.NoError(t, err)
	traces.Close()
	assert.Contains(t, log.String(), "OpenTelemetry can't use one of its settings")
	assert.NotContains(t, log.String(), "hunter2")
}

// Every history replays with the interceptor, and the span of a run has the same id
// in every process.
func TestHistoriesReplayWithTracing(t *testing.T) {
	files, err := filepath.Glob("../../workflows/testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	// A reset copies the start of another run, which names that run.
	named := map[string]bool{}
	for _, file := range files {
		history, err := historyfile.Read(file)
		require.NoError(t, err, file)
		named[history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetOriginalExecutionRunId()] = true
	}
	runs := map[string][]string{}
	for range 2 {
		received := newReceiver(t)
		traces := received.tracing(t)
		replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: forWorker(traces)})
		require.NoError(t, err)
		workflows.Register(replayer, nil)
		for _, file := range files {
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, file), file)
		}
		traces.Close()
		var ids []string
		for _, span := range received.spans {
			if span.GetName() == "RunWorkflow:ModifyVideo" {
				ids = append(ids, string(span.GetTraceId())+string(span.GetSpanId()))
			}
		}
		slices.Sort(ids)
		require.Len(t, ids, len(files))
		require.Len(t, slices.Compact(slices.Clone(ids)), len(named), "different runs have different ids")
		runs[received.URL] = ids
	}
	var all [][]string
	for _, ids := range runs {
		all = append(all, ids)
	}
	require.Len(t, all[0], len(files))
	require.Equal(t, all[0], all[1])
}

// Spans hold the types of errors and no texts.
func TestSpansHoldNoErrorTexts(t *testing.T) {
	received := newReceiver(t)
	traces := received.tracing(t)
	var suite testsuite.WorkflowTestSuite
	for _, failure := range []error{
		temporal.NewNonRetryableApplicationError("https://user:hunter2@example.org said no", "SubmitRefused", errors.New("hunter2")),
		errors.New("hunter2 at https://example.org"),
		temporal.NewApplicationErrorWithOptions("hunter2 waits", "Pending", temporal.ApplicationErrorOptions{
			NextRetryDelay: time.Second, Category: temporal.ApplicationErrorCategoryBenign,
		}),
	} {
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{Interceptors: forWorker(traces)})
		fails := func(string) error { return failure }
		env.RegisterActivity(fails)
		_, err := env.ExecuteActivity(fails, "a prompt about hunter2")
		require.Error(t, err)
	}
	traces.Close()
	assert.NotContains(t, string(received.bodies), "hunter2")
	assert.NotContains(t, string(received.bodies), "example.org")
	var types []string
	var failed []bool
	for _, span := range received.spans {
		failed = append(failed, span.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR)
		for _, attribute := range span.GetAttributes() {
			if attribute.GetKey() == "error.type" {
				types = append(types, attribute.GetValue().GetStringValue())
			}
		}
	}
	assert.Equal(t, []string{"SubmitRefused", "*errors.errorString", "Pending"}, types)
	assert.Equal(t, []bool{true, true, false}, failed, "a benign error leaves the span's status unset")
	assert.Equal(t, "lumaflow-test", received.roles[0])
}

// An unreachable collector costs a log line and a bounded wait in Close.
func TestUnreachableCollector(t *testing.T) {
	log := &logBuffer{}
	received := newReceiver(t)
	received.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.URL)
	traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", log.logger())
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: forWorker(traces)})
	noop := func() error { return nil }
	env.RegisterActivity(noop)
	_, err = env.ExecuteActivity(noop)
	require.NoError(t, err)
	traces.Close()
	assert.Contains(t, log.String(), "traces are not complete; jobs continue")
}
