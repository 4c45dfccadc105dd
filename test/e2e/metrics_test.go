package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/workflows"
)

// withPorts enables the metrics and health endpoints of the roles.
const withPorts = "METRICS_LISTEN=127.0.0.1:0"

// ownURL is a URL of the metrics and health endpoint of a role.
func (p *process) ownURL(path string) string {
	p.t.Helper()
	return "http://" + p.awaitOutput(`metrics and health listening" address=(\S+)`) + path
}

// get requests a page of the metrics and health endpoint; the status is 0 if there
// is no answer.
func (p *process) get(path string) (status int, body string) {
	p.t.Helper()
	response, err := http.Get(p.ownURL(path))
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, string(text)
}

// samples scrapes the metrics and returns the values by series and the metric
// names.
func (p *process) samples() (values map[string]float64, names map[string]bool) {
	p.t.Helper()
	status, text := p.get("/metrics")
	require.Equal(p.t, http.StatusOK, status, text)
	values, names = map[string]float64{}, map[string]bool{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		series, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.LastIndex(line, "} "); i >= 0 {
			series, number = line[:i+1], strings.TrimSpace(line[i+2:])
		}
		value, err := strconv.ParseFloat(number, 64)
		require.NoError(p.t, err, line)
		values[series] = value
		name, _, _ := strings.Cut(series, "{")
		names[name] = true
	}
	return values, names
}

// The metrics count what happened to the jobs, and every query of the dashboard and
// the alerts uses exposed metrics.
func TestMetricsOfARun(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{withPorts, "POLL_AFTER=3s"}})
	end := map[string]string{
		"":                       "done",
		kietest.ResponseLost:     "done",
		kietest.CallbackLost:     "done",
		kietest.CallbackForged:   "done",
		kietest.RateLimited:      "done",
		kietest.Reset:            "done",
		kietest.GenerationFailed: "GenerationFailed",
		kietest.Refused:          "SubmitRefused",
	}
	for fault := range end {
		prompt := "metrics [fault: " + fault + "]"
		if fault == "" {
			prompt = "metrics plain"
		}
		w.start(w.taskQueue+fault, jobInput(prompt))
	}
	w.start(w.taskQueue+"-invalid", `{"prompt":""}`)
	for fault, want := range end {
		_, err := w.result(w.taskQueue + fault)
		require.Equal(t, want == "done", err == nil, "%s: %v", fault, err)
	}
	_, err := w.result(w.taskQueue + "-invalid")
	require.ErrorContains(t, err, "prompt is blank")
	// One charged job is cancelled during its download.
	w.start(w.taskQueue+"-left", jobInput("left [size: 40MB] [fault: stall]"))
	w.until("the job downloads", func() bool {
		status, ok := w.status(w.taskQueue + "-left")
		return ok && status.Stage == workflows.StageCollecting && w.downloaded() > 1<<20
	})
	require.NoError(t, temporal.CancelWorkflow(t.Context(), w.taskQueue+"-left", ""))
	_, err = w.result(w.taskQueue + "-left")
	require.Error(t, err)
	// A callback of a job that a person ended is counted as at risk.
	secrets, err := callback.ParseSecrets(callbackSecret)
	require.NoError(t, err)
	minter, err := callback.NewMinter(w.webhookURL, secrets)
	require.NoError(t, err)
	response, err := http.Post(minter.URL("default", w.taskQueue+"-left"), "application/json", bytes.NewReader([]byte(`{"code":500,"data":{"taskId":"`+w.charge("left [size: 40MB] [fault: stall]").TaskID+`"}}`)))
	require.NoError(t, err)
	_ = response.Body.Close()

	hooks, hookNames := w.webhook.samples()
	assert.GreaterOrEqual(t, hooks[`lumaflow_callbacks_total{verdict="accepted"}`], 5.0)
	assert.GreaterOrEqual(t, hooks[`lumaflow_callbacks_total{verdict="forged"}`], 1.0)
	assert.InDelta(t, 1.0, hooks[`lumaflow_callbacks_total{verdict="at-risk"}`], 0)
	assert.Zero(t, hooks[`lumaflow_callbacks_total{verdict="malformed"}`])

	// The gauges are updated periodically. A restarted worker updates them at its
	// start, and its counters begin at zero.
	counted, names := w.worker.samples()
	assert.InDelta(t, 6.0, counted[`lumaflow_jobs_ended_total{result="done"}`], 0)
	assert.InDelta(t, 1.0, counted[`lumaflow_jobs_ended_total{result="GenerationFailed"}`], 0)
	assert.InDelta(t, 1.0, counted[`lumaflow_jobs_ended_total{result="SubmitRefused"}`], 0)
	assert.InDelta(t, 1.0, counted[`lumaflow_jobs_ended_total{result="InvalidRequest"}`], 0)
	assert.InDelta(t, 1.0, counted[`lumaflow_jobs_ended_total{result="cancelled"}`], 0)
	assert.InDelta(t, 1.0, counted[`lumaflow_submissions_total{outcome="unknown"}`], 0)
	assert.InDelta(t, 7.0, counted[`lumaflow_submissions_total{outcome="accepted"}`], 0, "all but the recovered one")
	assert.InDelta(t, 1.0, counted[`lumaflow_submissions_total{outcome="refused"}`], 0)
	assert.GreaterOrEqual(t, counted[`lumaflow_submissions_total{outcome="held-rate-limit"}`], 1.0)
	assert.GreaterOrEqual(t, counted[`lumaflow_wakeups_total{source="callback"}`], 1.0)
	assert.GreaterOrEqual(t, counted[`lumaflow_wakeups_total{source="poll"}`], 1.0)
	assert.InDelta(t, 7.0, counted[`lumaflow_wakeups_total{source="callback"}`]+counted[`lumaflow_wakeups_total{source="poll"}`], 0)
	assert.InDelta(t, 6.0, counted[`lumaflow_downloads_total{outcome="stored"}`], 0)
	assert.GreaterOrEqual(t, counted[`lumaflow_downloads_total{outcome="interrupted"}`], 1.0)
	assert.InDelta(t, 6.0, counted[`lumaflow_finished_to_stored_seconds_count`], 0)
	assert.InDelta(t, 8.0, counted[`lumaflow_job_polls_count`], 0)
	var bytes int64
	for _, charge := range w.ledger().Tasks {
		if len(charge.Results) == 1 && !strings.HasPrefix(charge.Prompt, "left") {
			bytes += charge.Results[0].Bytes
		}
	}
	assert.InDelta(t, float64(bytes), counted[`lumaflow_stored_bytes_total`], 0)

	require.Zero(t, w.worker.stop())
	w.startWorker()
	var all map[string]float64
	w.until("the jobs are counted", func() bool {
		all, _ = w.worker.samples()
		return all["lumaflow_census_timestamp_seconds"] > 0
	})
	assert.InDelta(t, 1.0, all["lumaflow_media_at_risk"], 0)
	assert.InDelta(t, 14*24, all["lumaflow_media_hours_left"], 1)
	assert.Zero(t, all[`lumaflow_jobs{stage="waiting"}`])
	assert.Zero(t, all["lumaflow_charges_unresolved"])

	assertNoSecrets(t, strings.Join(w.scrapes(), "\n"))
	names["up"] = true
	for name := range hookNames {
		names[name] = true
	}
	for _, query := range append(dashboardQueries(t), alertQueries(t)...) {
		used := metricName.FindAllString(query, -1)
		assert.NotEmpty(t, used, query)
		for _, name := range used {
			assert.True(t, names[name], "%s is not exposed, but used by %s", name, query)
		}
	}
	for _, metric := range metrics.All() {
		name := metric.Exposed()
		if metric.Kind == metrics.HistogramKind {
			name += "_count"
		}
		assert.True(t, names[name], "%s has no series", name)
	}
}

func (w *world) scrapes() []string {
	_, worker := w.worker.get("/metrics")
	_, hooks := w.webhook.get("/metrics")
	return []string{worker, hooks}
}

// assertNoSecrets requires that a text holds no secret, no input of a job and no
// job id.
func assertNoSecrets(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{apiKey, callbackSecret, "metrics plain", "cdn.example.org", "/callbacks/", "e2e-metrics"} {
		assert.NotContains(t, text, secret)
	}
}

// metricName matches the metrics of a query by their prefixes.
var metricName = regexp.MustCompile(`\b(?:lumaflow|temporal|process|go)_[a-z0-9_]+\b|\bup\b`)

func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	boards, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	require.NoError(t, err)
	for _, path := range boards {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var board struct {
			Panels []struct {
				Type    string
				Title   string
				Targets []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(text, &board))
		for _, panel := range board.Panels {
			require.True(t, panel.Type == "row" || len(panel.Targets) > 0, panel.Title)
			for _, target := range panel.Targets {
				queries = append(queries, target.Expr)
			}
		}
	}
	require.NotEmpty(t, queries)
	return queries
}

func alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	require.NoError(t, err)
	var rules struct {
		Groups []struct {
			Rules []struct{ Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &rules))
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			queries = append(queries, rule.Expr)
		}
	}
	require.NotEmpty(t, queries)
	return queries
}
