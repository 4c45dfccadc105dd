package e2e_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"
)

// traces is an OTLP collector in this process.
type traces struct {
	server *httptest.Server

	mu     sync.Mutex
	bodies strings.Builder
	spans  []span
}

// span is a span and the service that sent it.
type span struct {
	*tracepb.Span
	service string
}

func (s span) trace() string { return hex.EncodeToString(s.GetTraceId()) }

func (s span) attribute(name string) string {
	for _, attribute := range s.GetAttributes() {
		if attribute.GetKey() == name {
			return attribute.GetValue().GetStringValue()
		}
	}
	return ""
}

func collectTraces(t *testing.T) *traces {
	c := &traces{}
	c.server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		var sent collector.ExportTraceServiceRequest
		assert.NoError(t, proto.Unmarshal(body, &sent))
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies.Write(body)
		for _, resource := range sent.GetResourceSpans() {
			service := ""
			for _, attribute := range resource.GetResource().GetAttributes() {
				if attribute.GetKey() == "service.name" {
					service = attribute.GetValue().GetStringValue()
				}
			}
			for _, scope := range resource.GetScopeSpans() {
				for _, sent := range scope.GetSpans() {
					c.spans = append(c.spans, span{sent, service})
				}
			}
		}
	}))
	t.Cleanup(c.server.Close)
	return c
}

// spansOf lists the spans of a job, without those of callbacks.
func (c *traces) spansOf(job string) (spans []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if span.attribute("temporalWorkflowID") == job && !strings.Contains(span.GetName(), "Signal") {
			spans = append(spans, span)
		}
	}
	return spans
}

// One trace spans the command line, the workflow and the download on two workers,
// of which one is killed.
func TestOneTraceForAJob(t *testing.T) {
	t.Parallel()
	received := collectTraces(t)
	w := enter(t, setup{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + received.server.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}})
	first, second := w.taskQueue+"-traced", w.taskQueue+"-traced-late"
	jobs := []string{first, second}
	prompt := "traced [size: 40MB] [fault: stall]"
	submitted := w.run("submit", "--id", first, "--prompt", prompt, "--video", "https://cdn.example.org/in.mp4")
	require.Zero(t, submitted.code, submitted.err)
	// The client of the second job sends no traces.
	w.start(second, jobInput("traced too [size: 40MB] [fault: stall]"))
	w.until("both jobs have downloaded a part", func() bool { return w.downloaded() > 30<<20 })
	// A killed worker loses the spans that it has not exported yet.
	w.until("the parent spans of the downloads are exported", func() bool {
		return !slices.ContainsFunc(jobs, func(id string) bool {
			return !slices.ContainsFunc(received.spansOf(id), func(s span) bool { return s.GetName() == "StartActivity:Download" })
		})
	})
	w.worker.kill()
	w.startWorker()
	for _, id := range jobs {
		_, err := w.result(id)
		require.NoError(t, err)
	}
	require.Zero(t, w.worker.stop())
	require.Zero(t, w.webhook.stop())

	for _, id := range jobs {
		byTrace, names := map[string]int{}, map[string]int{}
		known := map[string]bool{}
		spans := received.spansOf(id)
		for _, span := range spans {
			byTrace[span.trace()]++
			names[span.service+" "+span.GetName()]++
			known[string(span.GetSpanId())] = true
		}
		assert.Len(t, byTrace, 1, "%s: %v", id, names)
		for _, name := range []string{
			"RunWorkflow:ModifyVideo", "StartActivity:Submit", "RunActivity:Submit", "StartActivity:Confirm", "RunActivity:Confirm",
			"StartActivity:Download", "RunActivity:Download", "StartActivity:WriteReceipt", "RunActivity:WriteReceipt",
		} {
			assert.Positive(t, names["lumaflow-worker "+name], "%s: %s in %v", id, name, names)
		}
		assert.Equal(t, id == first, names["lumaflow-cli StartWorkflow:ModifyVideo"] == 1)
		for _, span := range spans {
			parent := string(span.GetParentSpanId())
			assert.True(t, parent == "" || known[parent], "the parent of %s is missing", span.GetName())
		}
	}
	// The callback has a trace of its own, from the webhook into the workflow.
	signals := map[string][]string{}
	for _, span := range received.spans {
		if strings.HasSuffix(span.GetName(), ":callback") {
			signals[span.trace()] = append(signals[span.trace()], span.service+" "+span.GetName())
		}
	}
	var whole int
	for _, names := range signals {
		slices.Sort(names)
		if slices.Equal(names, []string{"lumaflow-webhook SignalWorkflow:callback", "lumaflow-worker HandleSignal:callback"}) {
			whole++
		}
	}
	assert.Positive(t, whole, "%v", signals)
	for _, secret := range []string{apiKey, callbackSecret, "traced [", "cdn.example.org", "/callbacks/", ".mp4"} {
		assert.NotContains(t, received.bodies.String(), secret)
	}
}

// Tracing adds no events, and workers with tracing continue jobs of workers without.
func TestTracingAddsNoEvents(t *testing.T) {
	t.Parallel()
	received := collectTraces(t)
	plain := enter(t, setup{})
	traced := enter(t, setup{env: []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + received.server.URL}})
	kinds := func(events []*historypb.HistoryEvent) (kinds []enumspb.EventType) {
		for _, event := range events {
			// The number of workflow tasks varies.
			if !strings.HasPrefix(event.GetEventType().String(), "WorkflowTask") {
				kinds = append(kinds, event.GetEventType())
			}
		}
		return kinds
	}
	plain.start("e2e-plain-events", jobInput("events"))
	traced.start("e2e-traced-events", jobInput("events"))
	_, err := plain.result("e2e-plain-events")
	require.NoError(t, err)
	_, err = traced.result("e2e-traced-events")
	require.NoError(t, err)
	assert.ElementsMatch(t, kinds(plain.events("e2e-plain-events")), kinds(traced.events("e2e-traced-events")))

	// Tracing is enabled while a job is open.
	plain.start("e2e-traced-later", jobInput("traced later [fault: callback-late]"))
	plain.until("the job waits", func() bool {
		status, ok := plain.status("e2e-traced-later")
		return ok && status.TaskID != ""
	})
	plain.worker.kill()
	plain.env = append(plain.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+received.server.URL)
	plain.startWorker()
	_, err = plain.result("e2e-traced-later")
	require.NoError(t, err)
}
