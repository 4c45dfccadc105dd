package e2e_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Bad input gives a short plain error and the right exit code, and starts nothing.
func TestBadInput(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("in the way"), 0o600))
	const key, secret = "KIE_API_KEY=k", "CALLBACK_SECRET=" + callbackSecret
	here := "TEMPORAL_ADDRESS=" + address
	nowhere := "TEMPORAL_ADDRESS=127.0.0.1:1"
	video := []string{"--video", "https://cdn.example.org/in.mp4"}
	tests := []struct {
		name string
		env  []string
		args []string
		code int
		want string
	}{
		{"blank prompt", []string{nowhere}, append([]string{"submit", "--prompt", "  "}, video...), 2, "prompt"},
		{"no prompt", []string{nowhere}, append([]string{"submit"}, video...), 2, "prompt"},
		{"blank URL", []string{nowhere}, []string{"submit", "--prompt", "p", "--video", ""}, 2, "video"},
		{"not a web address", []string{nowhere}, []string{"submit", "--prompt", "p", "--video", "ftp://x/y.mp4"}, 2, "http"},
		{"bad duration", []string{nowhere}, append([]string{"submit", "--prompt", "p", "--deadline", "soon"}, video...), 2, "deadline"},
		{"unknown field", []string{nowhere}, []string{"submit", "--input", `{"prompt":"p","videoUrl":"https://x.example.org","vide":1}`}, 2, "vide"},
		{"unknown flag", nil, []string{"submit", "--frobnicate"}, 2, "frobnicate"},
		{"unknown command", nil, []string{"frobnicate"}, 2, "frobnicate"},
		{"no command", nil, nil, 2, "the command is missing"},
		{"demo with an unreadable video", nil, []string{"demo", "--video", "/nonexistent/clip.mp4"}, 2, "--video"},
		{"demo with a folder for a video", nil, []string{"demo", "--video", t.TempDir()}, 2, "--video"},
		{"demo with a text for a video", nil, []string{"demo", "--video", file}, 2, "--video"},
		{"demo with a blank prompt", nil, []string{"demo", "--prompt", " "}, 2, "--prompt"},
		{"webhook without a secret", []string{nowhere}, []string{"webhook"}, 2, "CALLBACK_SECRET"},
		{"webhook with a short secret", []string{nowhere, "CALLBACK_SECRET=short"}, []string{"webhook"}, 2, "CALLBACK_SECRET"},
		{"webhook without Temporal", []string{nowhere, secret, "WEBHOOK_LISTEN=127.0.0.1:0"}, []string{"webhook"}, 1, "127.0.0.1:1"},
		{"worker without a key", []string{nowhere, "KIE_API_KEY="}, []string{"worker"}, 2, "KIE_API_KEY"},
		{"worker with a short secret", []string{nowhere, key, "CALLBACK_BASE_URL=https://h.example.org", "CALLBACK_SECRET=short"}, []string{"worker"}, 2, "CALLBACK_SECRET"},
		{"worker without a secret", []string{nowhere, key, "CALLBACK_BASE_URL=https://h.example.org"}, []string{"worker"}, 2, "CALLBACK_SECRET"},
		{"worker with a bad duration", []string{nowhere, key, "POLL_INTERVAL=often"}, []string{"worker"}, 2, "POLL_INTERVAL"},
		{"worker with a bad rate", []string{nowhere, key, "SUBMITS_PER_SECOND=0"}, []string{"worker"}, 2, "SUBMITS_PER_SECOND"},
		{"worker with an unwritable output", []string{nowhere, key, "OUTPUT_URL=" + filepath.Join(file, "videos")}, []string{"worker"}, 1, "OUTPUT_URL"},
		{"worker with an unknown kind of bucket", []string{nowhere, key, "OUTPUT_URL=ftp://x/y"}, []string{"worker"}, 2, "OUTPUT_URL"},
		{"worker with a bad port", []string{nowhere, key, "METRICS_LISTEN=9464"}, []string{"worker"}, 2, "METRICS_LISTEN"},
		{"webhook with a bad port", []string{nowhere, secret, "WEBHOOK_LISTEN=127.0.0.1:0", "METRICS_LISTEN=9464"}, []string{"webhook"}, 2, "METRICS_LISTEN"},
		{"worker with a malformed collector", []string{nowhere, key, "OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318"}, []string{"worker"}, 2, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{"submit with a collector of another kind", []string{nowhere, "OTEL_TRACES_EXPORTER=zipkin"}, append([]string{"submit", "--prompt", "p"}, video...), 2, "OTEL_TRACES_EXPORTER"},
		{"worker without Temporal", []string{nowhere, key, "KIE_BASE_URL=http://127.0.0.1:1"}, []string{"worker"}, 1, "127.0.0.1:1"},
		{"worker with a short codec key", []string{nowhere, key, "CODEC_KEYS=main:c2hvcnQ="}, []string{"worker"}, 2, "CODEC_KEYS: key 1 of 1 has 5 bytes"},
		{"webhook with a codec key without a name", []string{nowhere, secret, "CODEC_KEYS=c2hvcnQ="}, []string{"webhook"}, 2, "CODEC_KEYS"},
		{"submit with two codec keys of one name", []string{nowhere, "CODEC_KEYS=" + codecKey("a", 1) + "," + codecKey("a", 2)}, append([]string{"submit", "--prompt", "p"}, video...), 2, "CODEC_KEYS"},
		{"replay-check with a bad codec key", []string{nowhere, "CODEC_KEYS=main:?"}, []string{"replay-check"}, 2, "CODEC_KEYS"},
		{"demo with a bad codec key", []string{"CODEC_KEYS=main:?"}, []string{"demo"}, 2, "CODEC_KEYS"},
		{"codec-server without keys", nil, []string{"codec-server"}, 2, "CODEC_KEYS"},
		{"codec-server for all without a token", []string{"CODEC_KEYS=" + codecKey("a", 1)}, []string{"codec-server", "--codec-listen", ":0"}, 2, "CODEC_TOKEN"},
		{"status of no job", []string{here}, []string{"status", "no-such-job"}, 1, "no-such-job"},
		{"cancel of no job", []string{here}, []string{"cancel", "no-such-job"}, 1, "no-such-job"},
		{"resolve without a decision", []string{here}, []string{"resolve", "no-such-job"}, 2, "--adopt"},
		{"audit of a missing folder", nil, []string{"audit", filepath.Join(file, "videos")}, 1, "can't be read"},
		{"audit of an unknown kind of bucket", nil, []string{"audit", "ftp://x/y"}, 2, "OUTPUT_URL"},
		{"audit of two folders", nil, []string{"audit", "a", "b"}, 2, "unexpected argument"},
		{"audit with a negative grace", nil, []string{"audit", "--grace=-1s"}, 2, "--grace"},
		{"rescue of nothing", []string{nowhere}, []string{"rescue"}, 2, "--ids"},
		{"rescue of a text", []string{nowhere}, []string{"rescue", "--ids", file}, 2, "line 1"},
		{"rescue of a folder", []string{nowhere}, []string{"rescue", "--ids", t.TempDir()}, 2, "is a directory"},
		{"rescue without Temporal", []string{nowhere}, []string{"rescue", "0123456789abcdef"}, 1, "127.0.0.1:1"},
		{"batch of no file", []string{nowhere}, []string{"batch", "/nonexistent/shots.jsonl"}, 2, "no such file"},
		{"batch of a text", []string{nowhere}, []string{"batch", file}, 2, "line 1"},
		{"at risk without Temporal", []string{nowhere}, []string{"list", "--at-risk"}, 1, "127.0.0.1:1"},
		{"submit without Temporal", []string{nowhere}, append([]string{"submit", "--prompt", "p"}, video...), 1, "127.0.0.1:1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env := append(os.Environ(), "OUTPUT_URL="+t.TempDir(), "WORK_DIR="+t.TempDir())
			got := execute(t, append(env, test.env...), binary, test.args...)
			require.Equal(t, test.code, got.code, got.err)
			require.Contains(t, got.err, test.want)
			require.LessOrEqual(t, strings.Count(strings.TrimSpace(got.err), "\n"), 3, "a few plain lines: %s", got.err)
			require.NotContains(t, got.err, "goroutine ")
			require.Empty(t, got.out)
		})
	}
}

// A port in use is an error before any folder is created.
func TestMetricsPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	folder := t.TempDir()
	env := append(os.Environ(), "TEMPORAL_ADDRESS=127.0.0.1:1", "KIE_API_KEY=any", "KIE_BASE_URL=http://127.0.0.1:1",
		"CALLBACK_SECRET=an e2e secret of more than thirty-two bytes", "WEBHOOK_LISTEN=127.0.0.1:0",
		"OUTPUT_URL="+filepath.Join(folder, "videos"), "WORK_DIR="+filepath.Join(folder, "work"))
	for _, role := range []string{"worker", "webhook"} {
		got := execute(t, env, binary, role, "--metrics-listen", taken.Addr().String())
		require.Equal(t, 1, got.code, role)
		require.Equal(t, "lumaflow: "+taken.Addr().String()+" is taken by another program: stop that or set METRICS_LISTEN\n", got.err, role)
	}
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestHelpHasExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"demo", "worker", "webhook", "submit", "status", "list", "wait", "cancel", "resolve", "batch", "rescue", "doctor", "audit", "simulate", "codec-server"} {
		got := execute(t, os.Environ(), binary, name, "--help")
		require.Zero(t, got.code, name)
		require.Regexp(t, `Examples?:`, got.out, name)
	}
}

func TestRejectedAPIKey(t *testing.T) {
	t.Parallel()
	simulator := start(t, os.Environ(), "simulate", "--listen", "127.0.0.1:0", "--api-key", "the-right-one")
	url := simulator.awaitOutput(`(http://127\.0\.0\.1:\d+)`)
	got := execute(t, append(os.Environ(), "TEMPORAL_ADDRESS="+address, "KIE_API_KEY=the-wrong-one", "KIE_BASE_URL="+url, "OUTPUT_URL="+t.TempDir()), binary, "worker")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "KIE_API_KEY")
	require.NotContains(t, got.err, "the-wrong-one")
}

// A job is submitted, shown, awaited and cancelled with lumaflow's commands.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	submit := []string{"submit", "--prompt", "by hand", "--video", "https://cdn.example.org/in.mp4", "--key", w.taskQueue, "--wait", "--json"}
	first := w.run(submit...)
	require.Zero(t, first.code, first.err)
	var report struct {
		WorkflowID string `json:"workflowId"`
		State      string `json:"state"`
	}
	require.NoError(t, json.Unmarshal([]byte(first.out), &report), first.out)
	require.Equal(t, "completed", report.State)

	second := w.run(submit...)
	require.Zero(t, second.code, second.err)
	require.Equal(t, 1, w.ledger().Charges, "the same command twice is the same job")

	shown := w.run("status", report.WorkflowID)
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "luma_result_")
	listed := w.run("list", "--json")
	require.Zero(t, listed.code, listed.err)
	require.Contains(t, listed.out, report.WorkflowID)
	waited := w.run("wait", report.WorkflowID)
	require.Zero(t, waited.code, waited.err)

	w.start("e2e-cancel-me", jobInput("cancel [render: held]"))
	w.until("the task is charged", func() bool { return w.ledger().Charges == 2 })
	cancelled := w.run("cancel", "e2e-cancel-me")
	require.Zero(t, cancelled.code, cancelled.err)
	_, err := w.result("e2e-cancel-me")
	require.Error(t, err)
}

// No log, history or receipt holds a secret.
func TestNoSecretInLogsAndHistories(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	w.start("e2e-secret", jobInput("secret [fault: response-lost, callback-forged]"))
	_, err := w.result("e2e-secret")
	require.NoError(t, err)
	token := w.ledger().Tasks[0].CallBackURL
	token = token[strings.LastIndex(token, "/")+1:]
	require.NotEmpty(t, token)
	shown := w.temporalCLI("workflow", "show", "--workflow-id", "e2e-secret", "--output", "json")
	require.Zero(t, shown.code, shown.err)
	files, err := filepath.Glob(filepath.Join(w.output, "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	receipt, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for where, text := range map[string]string{
		"history": shown.out, "worker log": w.worker.output(), "webhook log": w.webhook.output(), "receipt": string(receipt),
	} {
		for _, secret := range []string{token, apiKey, callbackSecret} {
			require.NotContains(t, text, secret, where)
		}
	}
}
