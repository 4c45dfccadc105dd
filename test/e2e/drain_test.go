package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/temporal/devserver"
)

// grace is the termination grace period documented for workers.
const grace = 90 * time.Second

// A worker stops at SIGTERM in the middle of a download, and the next one requests
// the missing bytes only.
func TestTerminatedDownloadResumes(t *testing.T) {
	t.Parallel()
	// All requests to kie.ai pass this proxy.
	var mu sync.Mutex
	var simulator *url.URL
	var ranges []string
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		mu.Lock()
		defer mu.Unlock()
		r.SetURL(simulator)
		// The simulator builds links from the host of the request.
		r.Out.Host = r.In.Host
		if requested := r.In.Header.Get("Range"); requested != "" {
			ranges = append(ranges, requested)
		}
	}, FlushInterval: -1}
	front := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		// ReverseProxy panics if the client ends a download.
		defer func() { _ = recover() }()
		proxy.ServeHTTP(answer, r)
	}))
	defer front.Close()

	w := enter(t, setup{env: []string{withPorts, "KIE_BASE_URL=" + front.URL}, noWorker: true})
	var err error
	mu.Lock()
	simulator, err = url.Parse(w.simURL)
	mu.Unlock()
	require.NoError(t, err)
	w.startWorker()
	prompt := "terminated [size: 40MB] [fault: stall]"
	w.start("e2e-terminated", jobInput(prompt))
	w.until("a part is downloaded", func() bool { return w.downloaded() > 10<<20 })
	began := time.Now()
	require.Zero(t, w.worker.stop())
	took := time.Since(began)
	require.Less(t, took, grace)
	t.Logf("the worker ended %s after SIGTERM", took.Round(time.Millisecond))
	part := w.downloaded()
	require.Greater(t, part, int64(10<<20), "the received bytes are kept")

	w.startWorker()
	result, err := w.result("e2e-terminated")
	require.NoError(t, err)
	charge := w.charge(prompt)
	w.verified(result, charge)
	require.Equal(t, 2, charge.Downloads)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, ranges, 1)
	found := regexp.MustCompile(`^bytes=(\d+)-$`).FindStringSubmatch(ranges[0])
	require.NotNil(t, found, ranges[0])
	from, err := strconv.ParseInt(found[1], 10, 64)
	require.NoError(t, err)
	require.Greater(t, from, int64(10<<20), "the request does not begin at the start")
	counted, _ := w.worker.samples()
	assert.InDelta(t, 1.0, counted[`lumaflow_downloads_total{outcome="stored"}`], 0)
}

// A draining worker is alive and not ready.
func TestDrainingIsNotReady(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{withPorts}})
	w.until("both are ready", func() bool {
		worker, _ := w.worker.get("/readyz")
		hooks, _ := w.webhook.get("/readyz")
		return worker == http.StatusOK && hooks == http.StatusOK
	})
	_, lines := w.worker.get("/readyz")
	assert.Equal(t, "ok      temporal\nok      output\n", lines)
	_, lines = w.webhook.get("/readyz")
	assert.Equal(t, "ok      temporal\n", lines)
	for _, path := range []string{"/metrics", "/readyz"} {
		response, err := http.Get(w.webhookURL + path)
		require.NoError(t, err)
		_ = response.Body.Close()
		assert.Equal(t, http.StatusNotFound, response.StatusCode, "the public port has no %s", path)
	}

	w.start("e2e-draining", jobInput("draining [fault: slow-response]"))
	w.until("the charge is made", func() bool { return w.ledger().Charges == 1 })
	ended := make(chan int, 1)
	go func() { ended <- w.worker.stop() }()
	w.worker.awaitOutput("worker draining")
	status, lines := w.worker.get("/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "draining\n", lines)
	status, _ = w.worker.get("/healthz")
	assert.Equal(t, http.StatusOK, status)
	assert.Zero(t, <-ended)
	status, _ = w.worker.get("/healthz")
	assert.Zero(t, status, "the port is closed with the process")
	w.startWorker()
	_, err := w.result("e2e-draining")
	require.NoError(t, err)
	require.Zero(t, w.webhook.stop())
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	server, err := devserver.Start(t.Context(), devserver.Options{
		// As in a large cluster, most partitions of the task queue list few pollers.
		DynamicConfig: []string{
			"matching.numTaskqueueReadPartitions=32", "matching.numTaskqueueWritePartitions=32", "matching.forwarderMaxOutstandingPolls=0",
		},
		Progress: os.Stderr,
	})
	require.NoError(t, err)
	defer server.Stop()
	w := enter(t, setup{env: []string{withPorts, "TEMPORAL_ADDRESS=" + server.Address()}})
	require.NoError(t, os.Remove(w.output))
	w.until("the output is missed", func() bool {
		_, lines := w.worker.get("/readyz")
		return regexp.MustCompile(`ok      temporal\nfailed  output: .*` + regexp.QuoteMeta(w.output)).MatchString(lines)
	})
	status, _ := w.worker.get("/readyz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	require.NoError(t, os.Mkdir(w.output, 0o700))
	w.until("it is ready", func() bool {
		status, _ := w.worker.get("/readyz")
		return status == http.StatusOK
	})
	w.until("the doctor finds its pollers", func() bool {
		found := w.run("doctor", "--only", "workers,submissions")
		return found.code == 0 && strings.Count(found.out, "1 worker polls") == 2
	})
	server.Stop()
	w.until("both miss Temporal", func() bool {
		worker, lines := w.worker.get("/readyz")
		hooks, line := w.webhook.get("/readyz")
		missed := regexp.MustCompile(`failed  temporal: no Temporal server answers at `)
		return worker == http.StatusServiceUnavailable && hooks == http.StatusServiceUnavailable &&
			missed.MatchString(lines) && missed.MatchString(line)
	})
	status, _ = w.worker.get("/healthz")
	assert.Equal(t, http.StatusOK, status)
}
