package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.uber.org/goleak"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/webhook"
	"lumaflow/workflows/signals"
)

const (
	secret    = "0123456789abcdef0123456789abcdef"
	namespace = "studio"
	hmacKey   = "test-hmac-key"

	waitFor = 10 * time.Second
	tick    = time.Millisecond
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// signal is one call of the Signaler.
type signal struct {
	job string
	cb  signals.CallbackPayload
}

// temporal records signals and returns the error of answer, if that is set.
type temporal struct {
	answer func(ctx context.Context) error

	mu      sync.Mutex
	signals []signal
}

func (f *temporal) SignalCallback(ctx context.Context, job string, cb signals.CallbackPayload) error {
	f.mu.Lock()
	f.signals = append(f.signals, signal{job, cb})
	f.mu.Unlock()
	if f.answer == nil {
		return nil
	}
	return f.answer(ctx)
}

func (f *temporal) recorded() []signal {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.signals
}

// collected is one call of the Collector.
type collected struct{ job, taskID string }

// collector records calls and returns the answer of collect, if that is set.
type collector struct {
	collect func(ctx context.Context) (runs.Outcome, error)

	mu    sync.Mutex
	calls []collected
}

func (c *collector) Collect(ctx context.Context, job, taskID string) (runs.Outcome, error) {
	c.mu.Lock()
	c.calls = append(c.calls, collected{job, taskID})
	c.mu.Unlock()
	if c.collect == nil {
		return runs.Collecting, nil
	}
	return c.collect(ctx)
}

func (c *collector) recorded() []collected {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// output is a log for concurrent use.
type output struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buffer.String()
}

// fixture is a webhook with a recording Signaler, Collector and log.
type fixture struct {
	http.Handler
	temporal  *temporal
	collector *collector
	secrets   callback.Secrets
	minter    *callback.Minter
	log       *output
}

func newFixture(t testing.TB, change ...func(*webhook.Options)) *fixture {
	t.Helper()
	secrets, err := callback.ParseSecrets(secret)
	require.NoError(t, err)
	minter, err := callback.NewMinter("http://hooks.example.org", secrets)
	require.NoError(t, err)
	f := &fixture{temporal: new(temporal), collector: new(collector), secrets: secrets, minter: minter, log: new(output)}
	options := webhook.Options{
		Signaler:  f.temporal,
		Collector: f.collector,
		Namespace: namespace,
		Secrets:   secrets,
		Logger:    slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, apply := range change {
		apply(&options)
	}
	f.Handler = webhook.New(options)
	return f
}

func signed(t testing.TB) func(*webhook.Options) {
	verifier, err := kie.ParseVerifier(hmacKey)
	require.NoError(t, err)
	return func(options *webhook.Options) { options.Verifier = verifier }
}

func (f *fixture) path(job string) string {
	return strings.TrimPrefix(f.minter.URL(namespace, job), "http://hooks.example.org")
}

func (f *fixture) token(job string) string {
	path := f.path(job)
	return path[strings.LastIndex(path, "/")+1:]
}

// post delivers a callback to a job like kie.ai.
func (f *fixture) post(t testing.TB, job, body string) *http.Response {
	return f.do(newRequest(t, http.MethodPost, f.path(job), body))
}

func (f *fixture) do(r *http.Request) *http.Response {
	recorder := httptest.NewRecorder()
	f.ServeHTTP(recorder, r)
	return recorder.Result()
}

func newRequest(t testing.TB, method, path, body string) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func success(taskID string) string {
	return fmt.Sprintf(`{"code":200,"msg":"Modify record generated successfully.",
		"data":{"taskId":%q,"promptJson":"{}","resultUrls":["https://tempfile.example.org/l/a.mp4?sig=1"]}}`, taskID)
}

func requireAnswer(t testing.TB, response *http.Response, status int, text string) {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, status, response.StatusCode, "%s", body)
	require.Equal(t, "application/json", response.Header.Get("Content-Type"))
	require.Empty(t, response.Header.Get("Location"))
	require.Equal(t, status == http.StatusServiceUnavailable, response.Header.Get("Retry-After") != "",
		"Retry-After %q with %d", response.Header.Get("Retry-After"), status)
	if text != "" {
		require.JSONEq(t, fmt.Sprintf(`{"status":%q}`, text), string(body))
	}
}

func TestCallbackBecomesSignal(t *testing.T) {
	f := newFixture(t)
	response := f.post(t, "jobs/1", success("task-1"))
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.JSONEq(t, `{"status":"received"}`, string(body))
	assert.Equal(t, []signal{{"jobs/1", signals.CallbackPayload{
		TaskID:     "task-1",
		Code:       200,
		Msg:        "Modify record generated successfully.",
		ResultURLs: []string{"https://tempfile.example.org/l/a.mp4?sig=1"},
	}}}, f.temporal.recorded())

	lines := strings.Split(strings.TrimSpace(f.log.String()), "\n")
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], "level=INFO msg=callback reason=signalled status=200 job=jobs/1 task=task-1 code=200")
}

// Probes of the doctor get the answers of callbacks, but log no warning.
func TestProbes(t *testing.T) {
	f := newFixture(t, signed(t))
	f.temporal.answer = func(context.Context) error { return serviceerror.NewNotFound("no such workflow") }
	for range 100 {
		id := callback.ProbeID()
		forged := newRequest(t, http.MethodPost, f.path(id)[:len(f.path(id))-43]+strings.Repeat("x", 43), success("t"))
		requireAnswer(t, f.do(forged), 401, "unauthorized")
		requireAnswer(t, f.post(t, callback.EscapedProbeID(), `{}`), 400, "no callback of kie.ai")
		requireAnswer(t, f.post(t, id, success("t")), 401, "unauthorized")
		probe := newRequest(t, http.MethodPost, f.path(id), success("t"))
		timestamp, signature := kie.Sign(hmacKey, "t", time.Now())
		probe.Header.Set(kie.TimestampHeader, timestamp)
		probe.Header.Set(kie.SignatureHeader, signature)
		requireAnswer(t, f.do(probe), 200, "received")
	}
	assert.Len(t, f.temporal.recorded(), 100, "each valid probe signals")
	for line := range strings.Lines(f.log.String()) {
		assert.Regexp(t, `level=INFO msg=callback reason="probe: .*job=.*lumaflow-doctor\.`, line)
	}

	unsigned := newFixture(t)
	unsigned.temporal.answer = func(context.Context) error { return serviceerror.NewUnavailable("down") }
	requireAnswer(t, unsigned.post(t, callback.ProbeID(), success("t")), 503, "try again")
	assert.Contains(t, unsigned.log.String(), `level=ERROR msg=callback reason="probe: Temporal did not take the signal"`)
}

func TestSignalIsBoundedAndHoldsNoToken(t *testing.T) {
	f := newFixture(t)
	links := []string{
		"https://r.example.org/" + strings.Repeat("x", 2048),
		"https://r.example.org/?back=" + f.path("j"),
	}
	for i := range 40 {
		links = append(links, fmt.Sprintf("https://r.example.org/%d.mp4", i))
	}
	encoded, err := json.Marshal(links)
	require.NoError(t, err)
	for _, code := range []int{200, 501} {
		requireAnswer(t, f.post(t, "j", fmt.Sprintf(`{"code":%d,"msg":%q,"data":{"taskId":"t","resultUrls":%s}}`,
			code, "could not reach "+f.path("j")+strings.Repeat(" é", 10_000), encoded)), 200, "received")
	}

	succeeded, failed := f.temporal.recorded()[0].cb, f.temporal.recorded()[1].cb
	assert.Equal(t, links[2:18], succeeded.ResultURLs)
	assert.Empty(t, failed.ResultURLs, "a failure has no results")
	for _, cb := range []signals.CallbackPayload{succeeded, failed} {
		assert.Contains(t, cb.Msg, "could not reach")
		assert.NotContains(t, cb.Msg, f.token("j"))
		assert.LessOrEqual(t, len(cb.Msg), 500)
		assert.Equal(t, strings.ToValidUTF8(cb.Msg, ""), cb.Msg)
	}
	assert.NotContains(t, f.log.String(), f.token("j"))
}

func TestSignalOutlivesTheConnection(t *testing.T) {
	f := newFixture(t)
	f.temporal.answer = func(ctx context.Context) error { return ctx.Err() }
	disconnected, disconnect := context.WithCancel(t.Context())
	disconnect()
	requireAnswer(t, f.do(newRequest(t, http.MethodPost, f.path("j"), success("t")).WithContext(disconnected)), 200, "received")
	assert.Len(t, f.temporal.recorded(), 1)
}

func TestHealth(t *testing.T) {
	f := newFixture(t)
	requireAnswer(t, f.do(newRequest(t, http.MethodGet, "/healthz", "")), 200, "ok")
	assert.Equal(t, 200, f.do(newRequest(t, http.MethodHead, "/healthz", "")).StatusCode)
	response := f.do(newRequest(t, http.MethodPost, "/healthz", ""))
	requireAnswer(t, response, 405, "method not allowed")
	assert.Equal(t, "GET, HEAD", response.Header.Get("Allow"))
}

func at(now time.Time) func(*webhook.Options) {
	return func(options *webhook.Options) { options.Now = func() time.Time { return now } }
}
