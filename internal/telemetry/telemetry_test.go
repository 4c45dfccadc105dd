package telemetry_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/command"
	"lumaflow/internal/telemetry"
	"lumaflow/internal/telemetry/metrics"
)

// start starts a role with a metrics port and returns its URL.
func start(t *testing.T) (*telemetry.Telemetry, string) {
	t.Helper()
	log := &logBuffer{}
	started, err := telemetry.Start(t.Context(), telemetry.Options{
		Flags:    telemetry.Flags{MetricsListen: "127.0.0.1:0"},
		Role:     "lumaflow-test",
		Counters: metrics.OfWorker,
		Logger:   log.logger(),
	})
	require.NoError(t, err)
	t.Cleanup(started.Close)
	return started, log.address(t)
}

func request(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestMetricsAreExposed(t *testing.T) {
	t.Parallel()
	started, address := start(t)
	require.True(t, started.Measures())
	// The SDK adds these tags for workflows and activities.
	handler := started.Metrics().WithTags(map[string]string{"namespace": "default", "workflow_type": "ModifyVideo", "task_queue": "lumaflow"})
	metrics.Wakeups.Add(handler, 2, metrics.WokenByCallback)
	metrics.Downloads.Add(handler, 1, "https://example.org/a-video.mp4")
	metrics.StoredBytes.Add(handler, 1000)
	metrics.JobPolls.Observe(t.Context(), handler, 3)
	metrics.FinishedToStored.Observe(handler, 90*time.Second)
	metrics.Jobs.Set(handler, 4, "waiting")
	metrics.OldestJob.Set(handler, 30.5)
	metrics.ChargesUnresolved.Set(handler, 1)
	metrics.ChargesUnresolved.Forget(handler)
	handler.Timer("temporal_request_latency").Record(20 * time.Millisecond)
	handler.Counter("temporal_request").Inc(1)

	status, text := request(t, http.MethodGet, address+"/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`lumaflow_wakeups_total{source="callback"} 2`,
		`lumaflow_wakeups_total{source="poll"} 0`,
		`lumaflow_submissions_total{outcome="held-credit"} 0`,
		`lumaflow_downloads_total{outcome="other"} 1`,
		`lumaflow_stored_bytes_total 1000`,
		`lumaflow_job_polls_bucket{le="2"} 0`,
		`lumaflow_job_polls_bucket{le="3"} 1`,
		`lumaflow_job_polls_sum 3`,
		`lumaflow_finished_to_stored_seconds_bucket{le="60"} 0`,
		`lumaflow_finished_to_stored_seconds_bucket{le="120"} 1`,
		`lumaflow_jobs{stage="waiting"} 4`,
		`lumaflow_oldest_job_seconds 30.5`,
		`lumaflow_charges_unresolved NaN`,
		`temporal_request_latency_seconds_bucket{namespace="default",task_queue="lumaflow",workflow_type="ModifyVideo",le="0.025"} 1`,
		`temporal_request_total{namespace="default",task_queue="lumaflow",workflow_type="ModifyVideo"} 1`,
		`# TYPE lumaflow_wakeups_total counter`,
		`# TYPE lumaflow_job_polls histogram`,
		`# TYPE lumaflow_jobs gauge`,
		`# HELP lumaflow_stored_bytes_total ` + metrics.StoredBytes.Help,
	} {
		assert.Contains(t, text, line+"\n")
	}
	assert.Contains(t, text, `service_name="lumaflow-test"`)
	assert.Contains(t, text, "process_resident_memory_bytes")
	assert.NotContains(t, text, "a-video")
}

func TestOtherPathsAndMethods(t *testing.T) {
	t.Parallel()
	_, address := start(t)
	status, body := request(t, http.MethodGet, address+"/healthz")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "alive\n", body)
	status, _ = request(t, http.MethodHead, address+"/healthz")
	assert.Equal(t, http.StatusOK, status)
	for _, path := range []string{"/", "/callbacks/luma/a/b", "/debug/pprof/", "/metrics/"} {
		status, _ := request(t, http.MethodGet, address+path)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	status, _ = request(t, http.MethodPost, address+"/metrics")
	assert.Equal(t, http.StatusMethodNotAllowed, status)
}

func TestReady(t *testing.T) {
	t.Parallel()
	started, address := start(t)
	ready := func() (int, string) { return request(t, http.MethodGet, address+"/readyz") }

	status, body := ready()
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "starting\n", body)

	started.Readiness.Begin(
		telemetry.Check{Name: "temporal", Probe: func(context.Context) error { return nil }},
		telemetry.Check{Name: "output", Probe: func(context.Context) error {
			return errors.New("the folder /srv is full\n\x1b[31mnow " + strings.Repeat("é", 400))
		}},
	)
	status, body = ready()
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Regexp(t, `^ok      temporal\nfailed  output: the folder /srv is full \[31mnow é+…\n$`, body)
	assert.Less(t, len(body), 350)

	started.Readiness.Drain()
	status, body = ready()
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "draining\n", body)
	status, _ = request(t, http.MethodGet, address+"/healthz")
	assert.Equal(t, http.StatusOK, status, "alive while draining")
}

func TestReadyWhenChecksPass(t *testing.T) {
	t.Parallel()
	started, address := start(t)
	started.Readiness.Begin(telemetry.Check{Name: "temporal", Probe: func(context.Context) error { return nil }})
	status, body := request(t, http.MethodGet, address+"/readyz")
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "ok      temporal\n", body)
}

func TestPortErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, test := range []struct {
		name, listen, want string
		code               int
	}{
		{"taken", taken.Addr().String(), taken.Addr().String() + " is taken by another program: stop that or set METRICS_LISTEN", command.ExitFailed},
		{"not our address", "192.0.2.1:9464", "METRICS_LISTEN", command.ExitFailed},
		{"malformed", "9464", `METRICS_LISTEN is "9464": give host:port`, command.ExitUsage},
	} {
		_, err := telemetry.Start(t.Context(), telemetry.Options{
			Flags: telemetry.Flags{MetricsListen: test.listen}, Role: "lumaflow-test", Logger: (&logBuffer{}).logger(),
		})
		require.ErrorContains(t, err, test.want, test.name)
		assert.Equal(t, test.code, command.ExitCode(err), test.name)
		assert.NotContains(t, err.Error(), "\n")
	}
}

// Without settings there is no port, no goroutine and no span.
func TestOff(t *testing.T) {
	t.Parallel()
	log := &logBuffer{}
	started, err := telemetry.Start(t.Context(), telemetry.Options{Role: "lumaflow-test", Counters: metrics.OfWorker, Logger: log.logger()})
	require.NoError(t, err)
	assert.False(t, started.Measures())
	assert.Equal(t, client.MetricsNopHandler, started.Metrics())
	assert.Nil(t, started.Interceptors())
	started.Readiness.Begin()
	started.Readiness.Drain()
	started.Close()
	assert.Empty(t, log.String())
}
