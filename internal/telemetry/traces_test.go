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
	"lumaflow/workflows"
)

// receiver is an OTLP collector that keeps what it gets.
type receiver struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	bodies []byte
	spans  []*tracepb.Span
	roles  []string
}

func collect(t testing.TB) *receiver {
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

// tracing starts traces to the receiver.
func (r *receiver) tracing(t *testing.T) *telemetry.Traces {
	t.Helper()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)
	traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", (&book{}).logger())
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
		says string
	}{
		{name: "nothing"},
		{name: "an endpoint", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, on: true},
		{name: "an endpoint for traces", env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://127.0.0.1:4318/v1/traces"}, on: true},
		{name: "the exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, on: true},
		{name: "no exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}},
		{name: "disabled", env: map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}},
		{name: "JSON", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, on: true},
		{name: "no scheme", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"},
			says: "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address, like http://localhost:4318"},
		{name: "a password in it", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://user:hunter2@collector"},
			says: "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https address"},
		{name: "another exporter", env: map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, says: `OTEL_TRACES_EXPORTER is "zipkin": say otlp or none`},
		{name: "gRPC", env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"},
			says: `OTEL_EXPORTER_OTLP_PROTOCOL is "grpc": traces go out as http/protobuf or http/json`},
		{name: "attributes that are none", env: map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "color", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
			says: "OTEL_RESOURCE_ATTRIBUTES can't be used"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", (&book{}).logger())
			if test.says == "" {
				require.NoError(t, err)
				defer traces.Close()
				assert.Equal(t, test.on, len(traces.Interceptors()) == 1)
				return
			}
			require.ErrorContains(t, err, test.says)
			assert.Equal(t, command.ExitUsage, command.ExitCode(err))
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// What OpenTelemetry says about settings that it can't read goes to our log, and
// not with the settings.
func TestHeadersStaySecret(t *testing.T) {
	log := &book{}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "hunter2-without-a-name")
	traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", log.logger())
	require.NoError(t, err)
	traces.Close()
	assert.Contains(t, log.String(), "OpenTelemetry can't use one of its settings")
	assert.NotContains(t, log.String(), "hunter2")
}

// Every history replays with the interceptor as it does without, and the span of
// a run has the same id in whatever process it is replayed.
func TestHistoriesReplayWhileTraced(t *testing.T) {
	files, err := filepath.Glob("../../workflows/testdata/histories/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	runs := map[string][]string{}
	for range 2 {
		received := collect(t)
		traces := received.tracing(t)
		replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: forWorker(traces)})
		require.NoError(t, err)
		workflows.Register(replayer)
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
		require.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "different runs have different ids")
		runs[received.URL] = ids
	}
	var all [][]string
	for _, ids := range runs {
		all = append(all, ids)
	}
	require.Len(t, all[0], len(files))
	require.Equal(t, all[0], all[1])
}

// Spans tell what went wrong by its type alone.
func TestSpansTellNoTexts(t *testing.T) {
	received := collect(t)
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
	assert.Equal(t, []bool{true, true, false}, failed, "what lumaflow expects is no error")
	assert.Equal(t, "lumaflow-test", received.roles[0])
}

// A collector that is not there costs a line and a bounded wait at the end.
func TestNoCollector(t *testing.T) {
	log := &book{}
	received := collect(t)
	received.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.URL)
	traces, err := telemetry.StartTraces(t.Context(), "lumaflow-test", log.logger())
	require.NoError(t, err)
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{Interceptors: forWorker(traces)})
	nothing := func() error { return nil }
	env.RegisterActivity(nothing)
	_, err = env.ExecuteActivity(nothing)
	require.NoError(t, err)
	traces.Close()
	assert.Contains(t, log.String(), "traces are not complete; jobs go on")
}
