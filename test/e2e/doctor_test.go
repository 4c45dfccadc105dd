package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// examination is the output of `lumaflow doctor --json`.
type examination struct {
	OK     bool `json:"ok"`
	Checks []struct{ Check, Status, Message string }
}

// message returns the message of one check.
func (e examination) message(check string) string {
	for _, line := range e.Checks {
		if line.Check == check {
			return line.Message
		}
	}
	return ""
}

// in lists the checks with one of these statuses.
func (e examination) in(statuses ...string) (checks []string) {
	for _, line := range e.Checks {
		if slices.Contains(statuses, line.Status) {
			checks = append(checks, line.Check)
		}
	}
	return checks
}

const hmacKey = "an e2e HMAC key"

// doctor reports no problem for a working setup, and every defect that the test
// adds.
func TestDoctor(t *testing.T) {
	t.Parallel()
	// All tests share the search attributes of the default namespace.
	namespace := "e2e-doctor-" + strings.ToLower(rand.Text())
	got := execute(t, os.Environ(), cli, "operator", "namespace", "create", "-n", namespace, "--address", address)
	require.Zero(t, got.code, got.err)
	// The server caches the list of namespaces.
	require.Eventually(t, func() bool {
		return execute(t, os.Environ(), cli, "workflow", "list", "-n", namespace, "--address", address).code == 0
	}, patience, 100*time.Millisecond)
	w := enter(t, setup{
		env:      []string{"TEMPORAL_NAMESPACE=" + namespace, "KIE_WEBHOOK_HMAC_KEY=" + hmacKey},
		simulate: []string{"--api-key", apiKey, "--hmac-key", hmacKey},
	})

	examine := func(env []string, args ...string) (examination, answer) {
		t.Helper()
		got := execute(t, append(slices.Clone(w.env), env...), binary, append([]string{"doctor", "--json"}, args...)...)
		var report examination
		require.NoError(t, json.Unmarshal([]byte(got.out), &report), "%s%s", got.out, got.err)
		require.Equal(t, got.code == 0, report.OK)
		for _, secret := range []string{apiKey, callbackSecret, hmacKey, "the-wrong"} {
			require.NotContains(t, got.out+got.err, secret)
		}
		return report, got
	}

	// The server lists pollers with a delay.
	w.until("the worker polls", func() bool {
		report, _ := examine(nil, "--only", "workers,submissions")
		return report.OK && len(report.in("warn")) == 0
	})

	report, answer := examine(nil)
	require.Zero(t, answer.code, answer.err)
	require.Equal(t, []string{"attributes"}, report.in("warn", "fail", "skipped"), answer.out)
	require.Contains(t, report.message("attributes"), "--fix")
	report, answer = examine(nil, "--fix")
	require.Zero(t, answer.code, answer.err)
	require.Contains(t, report.message("attributes"), "created LumaStage and LumaTaskId and LumaBatch")
	w.until("all checks are ok", func() bool {
		report, answer = examine(nil)
		return answer.code == 0 && len(report.in("ok")) == len(report.Checks)
	})
	listed := execute(t, os.Environ(), cli, "operator", "search-attribute", "list", "-n", namespace, "--address", address)
	require.Regexp(t, `LumaStage\s+Keyword`, listed.out)
	require.Regexp(t, `LumaTaskId\s+Keyword`, listed.out)

	shown := execute(t, w.env, binary, "doctor")
	require.Zero(t, shown.code, shown.err)
	require.Empty(t, shown.err)
	require.Equal(t, len(report.Checks), strings.Count(shown.out, "\n"), "a line a check: %s", shown.out)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("in the way"), 0o600))
	inFront := func(target string, change func(*http.Response)) string {
		behind, err := url.Parse(target)
		require.NoError(t, err)
		front := &httputil.ReverseProxy{
			Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(behind) },
			ModifyResponse: func(r *http.Response) error { change(r); return nil },
		}
		server := httptest.NewServer(front)
		t.Cleanup(server.Close)
		return server.URL
	}
	skewed := inFront(w.simURL, func(r *http.Response) {
		r.Header.Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
	})
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://www.example.org"+r.URL.Path, http.StatusMovedPermanently)
	}))
	t.Cleanup(elsewhere.Close)
	yes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") }))
	t.Cleanup(yes.Close)

	const other = "the-wrong one, but long enough for a secret"
	tests := []struct {
		name  string
		env   []string
		fails []string
		skips []string
		want  string
	}{
		{"no worker", []string{"TASK_QUEUE=e2e-without-workers"}, []string{"workers", "submissions"}, nil, "lumaflow worker"},
		{"no Temporal", []string{"TEMPORAL_ADDRESS=127.0.0.1:1"}, []string{"temporal"}, []string{"attributes", "workers", "submissions"}, "127.0.0.1:1"},
		{"no such namespace", []string{"TEMPORAL_NAMESPACE=e2e-nowhere"}, []string{"temporal", "callback"}, []string{"attributes", "workers", "submissions", "signature"}, `no namespace "e2e-nowhere"`},
		{"wrong secret", []string{"CALLBACK_SECRET=" + other}, []string{"callback"}, []string{"signature"}, "CALLBACK_SECRET"},
		{"wrong HMAC key", []string{"KIE_WEBHOOK_HMAC_KEY=" + other}, []string{"signature"}, nil, "https://kie.ai/settings"},
		{"wrong API key", []string{"KIE_API_KEY=the-wrong-one"}, []string{"key"}, nil, "https://kie.ai/api-key"},
		{"no API key", []string{"KIE_API_KEY="}, []string{"key"}, []string{"models"}, "KIE_API_KEY is not set"},
		{"no kie.ai", []string{"KIE_BASE_URL=http://127.0.0.1:1"}, []string{"key"}, nil, "can't be reached"},
		// The webhook uses this machine's clock, so its clock has the same error.
		{"clock", []string{"KIE_BASE_URL=" + skewed}, []string{"clock", "signature"}, nil, "ahead of kie.ai's"},
		{"redirect", []string{"CALLBACK_BASE_URL=" + elsewhere.URL}, []string{"callback"}, []string{"signature"}, "redirects callbacks to https://www.example.org"},
		{"a proxy that accepts everything", []string{"CALLBACK_BASE_URL=" + yes.URL}, []string{"callback"}, []string{"signature"}, "it is not the webhook"},
		{"unwritable output", []string{"OUTPUT_URL=" + filepath.Join(file, "videos")}, []string{"output"}, nil, "OUTPUT_URL"},
		{"unwritable work folder", []string{"WORK_DIR=" + filepath.Join(file, "work")}, []string{"work"}, []string{"proxy"}, "WORK_DIR"},
		{"malformed settings", []string{"POLL_INTERVAL=often", "LOG_LEVEL=loud"}, []string{"settings"}, nil, "LOG_LEVEL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report, answer := examine(test.env)
			require.Equal(t, 1, answer.code, answer.err)
			require.Equal(t, test.fails, report.in("fail"), answer.out)
			require.Equal(t, test.skips, report.in("skipped"), answer.out)
			require.Contains(t, report.message(test.fails[0]), test.want)
			require.Equal(t, 1, strings.Count(answer.err, "\n"), answer.err)
			require.Contains(t, answer.err, "checks failed: "+strings.Join(test.fails, ", "))
		})
	}

	require.NotContains(t, w.webhook.output(), "level=WARN", "probes log no warning")
	require.Zero(t, w.webhook.stop())
	report, answer = examine(nil)
	require.Equal(t, 1, answer.code)
	require.Equal(t, []string{"callback"}, report.in("fail"), answer.out)
	require.Equal(t, []string{"signature"}, report.in("skipped"))
	require.Zero(t, w.ledger().Charges, "nothing is paid")
	ran := execute(t, os.Environ(), cli, "workflow", "count", "-n", namespace, "--address", address)
	require.Regexp(t, `\b0\b`, ran.out, "no job is started")
}
