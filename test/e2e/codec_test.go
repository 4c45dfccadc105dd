package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/workflows"
)

// codecKey is a key of 32 equal bytes.
func codecKey(id string, of byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{of}, 32))
}

const codecToken = "an e2e codec token of more than thirty-two bytes"

// withCodecKeys is an environment with other keys.
func withCodecKeys(env []string, keys string) []string {
	return append(slices.Clone(env), "CODEC_KEYS="+keys)
}

// restart replaces the worker and the webhook by ones with other keys.
func (w *world) restart(keys string) {
	w.t.Helper()
	require.Zero(w.t, w.worker.stop())
	require.Zero(w.t, w.webhook.stop())
	w.env = withCodecKeys(w.env, keys)
	w.webhook = start(w.t, append(slices.Clone(w.env), "WEBHOOK_LISTEN="+strings.TrimPrefix(w.webhookURL, "http://")), "webhook")
	w.webhook.awaitOutput("webhook listening")
	w.startWorker()
}

// withDecoded appends the decoded base64 strings of a JSON text.
func withDecoded(t *testing.T, printed string) string {
	t.Helper()
	require.True(t, json.Valid([]byte(printed)), printed)
	var all strings.Builder
	all.WriteString(printed)
	for _, text := range regexp.MustCompile(`"[^"]*"`).FindAllString(printed, -1) {
		if decoded, err := base64.StdEncoding.DecodeString(strings.Trim(text, `"`)); err == nil && len(decoded) > 3 {
			all.WriteString("\n")
			all.Write(decoded)
		}
	}
	return all.String()
}

// dump is the output of Temporal's CLI about a job.
func (w *world) dump(id string, more ...string) string {
	w.t.Helper()
	var all strings.Builder
	for _, command := range [][]string{
		{"workflow", "show"},
		{"workflow", "describe"},
		{"workflow", "metadata"},
		{"workflow", "query", "--name", "status"},
	} {
		var got answer
		// A query has a deadline, which a busy worker may miss.
		w.until(strings.Join(command, " "), func() bool {
			got = w.temporalCLI(slices.Concat(command, []string{"--workflow-id", id, "--output", "json"}, more)...)
			return got.code == 0
		})
		all.WriteString(withDecoded(w.t.(*testing.T), got.out) + "\n")
	}
	return all.String()
}

// With keys, the server stores no prompt, URL or failure reason in plain text, for
// every result of a job and every kind of client. The codec server decrypts them
// for Temporal's tools.
func TestEncryptedJobs(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{"CODEC_KEYS=" + codecKey("studio", 1)}})
	const video = "https://cdn.example.org/unreleased.mp4"
	const prompt = "unreleased snow"
	submit := func(prompt string) (id string) {
		var report struct{ WorkflowID string }
		got := w.run("submit", "--prompt", prompt, "--video", video, "--name", "unreleased", "--key", w.taskQueue, "--wait", "--json")
		require.NoError(t, json.Unmarshal([]byte(got.out), &report), got.err)
		return report.WorkflowID
	}
	done := submit(prompt)
	failed := submit(prompt + " [fault: generation-failed]")
	lost := "e2e-codec-lost"
	server := start(t, append(slices.Clone(w.env), "CODEC_TOKEN="+codecToken, "CODEC_ORIGIN=http://localhost:8233"),
		"codec-server", "--codec-listen", "127.0.0.1:0", "--log-level", "debug")
	endpoint := "http://" + server.awaitOutput(`codec-server listening.*address=(\S+)`)
	decrypt := []string{"--codec-endpoint", endpoint, "--codec-auth", "Bearer " + codecToken}
	// Temporal's CLI encrypts through the codec server only.
	input := []string{"workflow", "start", "--task-queue", w.taskQueue, "--type", "ModifyVideo", "--input", `{"prompt":"` + prompt + ` [fault: response-lost]","videoUrl":"` + video + `"}`}
	got := w.temporalCLI(slices.Concat(input, []string{"--workflow-id", lost}, decrypt)...)
	require.Zero(t, got.code, got.err)
	w.run("wait", lost)

	secrets := regexp.MustCompile(`unreleased|snow|https?:|file:|生成|unknown outcome|lumaflow (submit|resolve)`)
	for id, ends := range map[string]string{done: "luma_result_", failed: "生成失败", lost: "luma_result_"} {
		require.Empty(t, secrets.FindAllString(w.dump(id), -1), id)
		open := w.dump(id, decrypt...)
		require.Contains(t, open, prompt, id)
		require.Contains(t, open, video, id)
		require.Contains(t, open, ends, id)
		shown := w.run("status", id)
		require.Zero(t, shown.code, shown.err)
		require.Contains(t, shown.out, ends)
	}
	plain := "e2e-codec-plain"
	w.start(plain, jobInput("started in the clear"))
	_, err := w.result(plain)
	require.ErrorContains(t, err, `encrypted with codec key "studio"`, "the result is encrypted")
	require.Contains(t, w.dump(plain, decrypt...), "luma_result_")

	w.awaitListed(4)
	replayed := w.run("replay-check")
	require.Zero(t, replayed.code, replayed.err)
	require.Equal(t, "replayed 0 open and 4 closed jobs: this build can take over\n", replayed.out)

	refused := w.temporalCLI("workflow", "show", "--workflow-id", done, "--output", "json", "--codec-endpoint", endpoint,
		"--codec-auth", "Bearer guess", "--command-timeout", "2s")
	require.NotZero(t, refused.code)
	server.awaitOutput("request refused.*status=401")
	require.Zero(t, server.stop())
	for _, p := range []*process{w.worker, w.webhook, server} {
		for _, secret := range []string{codecKey("", 1), codecToken, "guess"} {
			require.NotContains(t, p.output(), secret, p.name)
		}
	}
}

// Keys are replaced while jobs are open: first all roles get the new one, then it
// encrypts, and when no open job needs the old one, that is removed.
func TestCodecKeyRotation(t *testing.T) {
	t.Parallel()
	old, fresh := codecKey("k1", 1), codecKey("k2", 2)
	w := enter(t, setup{env: []string{"CODEC_KEYS=" + old + "," + fresh, "POLL_AFTER=3s"}})
	before, across := w.submitted("before"), w.submitted("across [fault: callback-lost] [render: held]")
	require.Zero(t, w.run("wait", before).code)
	w.until("the task is charged", func() bool { return w.ledger().Charges == 2 })
	w.restart(fresh + "," + old)
	w.control("release", struct{}{})
	require.Zero(t, w.run("wait", across).code)
	require.Equal(t, 2, w.ledger().Charges)
	history := w.dump(across)
	require.Contains(t, history, base64.StdEncoding.EncodeToString([]byte("k1")))
	require.Contains(t, history, base64.StdEncoding.EncodeToString([]byte("k2")))

	w.restart(fresh)
	shown := w.run("status", across)
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "luma_result_", "the result is under the new key")
	shown = w.run("status", before)
	require.Equal(t, 1, shown.code)
	require.Equal(t, "lumaflow: read the result of job "+before+`: encrypted with codec key "k1", which CODEC_KEYS does not hold: add that key`+"\n", shown.err)
	shown = execute(t, withCodecKeys(w.env, fresh+","+codecKey("k1", 3)), binary, "status", before)
	require.Equal(t, 1, shown.code)
	require.Contains(t, shown.err, `the key of that id in CODEC_KEYS does not open it`)
	shown = execute(t, withCodecKeys(w.env, fresh+","+old), binary, "status", before)
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "luma_result_")
	after := w.submitted("after")
	require.Zero(t, w.run("wait", after).code)
}

// submitted starts a job with lumaflow submit.
func (w *world) submitted(prompt string) (id string) {
	w.t.Helper()
	got := w.run("submit", "--prompt", prompt, "--video", "https://cdn.example.org/in.mp4", "--key", w.taskQueue)
	require.Zero(w.t, got.code, got.err)
	return strings.TrimSpace(got.out)
}

// A worker without the key, or with another key of the same id, logs that, fails
// no job and submits none. The jobs continue when the key is available.
func TestWorkersWithoutTheKey(t *testing.T) {
	t.Parallel()
	right := codecKey("studio", 1)
	for name, test := range map[string]struct{ keys, message string }{
		"no key":              {"", `encrypted with codec key "studio", which CODEC_KEYS does not hold: add that key`},
		"the wrong key":       {codecKey("studio", 2), `encrypted with codec key "studio", but the key of that id in CODEC_KEYS does not open it`},
		"a key of other jobs": {codecKey("other", 3), `encrypted with codec key "studio", which CODEC_KEYS does not hold: add that key`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := enter(t, setup{env: []string{"CODEC_KEYS=" + right, "POLL_AFTER=10m"}})
			waiting := w.submitted("waiting [render: held]")
			w.until("the job waits", func() bool {
				return strings.Contains(w.run("status", waiting, "--json").out, `"stage": "`+string(workflows.StageWaiting)+`"`)
			})
			w.restart(test.keys)
			w.env = withCodecKeys(w.env, right)
			fresh := w.submitted("new")
			line := w.worker.awaitOutput(`(level=WARN msg="Failed to process workflow task.*WorkflowID=` + fresh + `.*)`)
			require.Contains(t, strings.ReplaceAll(line, `\`, ""), test.message)
			w.until("the status shows the reason", func() bool {
				got := w.run("status", fresh)
				require.Zero(t, got.code, got.err)
				require.Regexp(t, `state +running`, got.out)
				return strings.Contains(got.out, test.message)
			})
			// The callback of the other job arrives while no worker can decrypt it.
			w.control("release", struct{}{})
			w.worker.awaitOutput(`level=WARN msg="Failed to process workflow task.*WorkflowID=` + waiting)
			require.NotContains(t, w.worker.output(), "StackTrace")
			require.Equal(t, 1, w.ledger().Charges, "a worker without the key submits nothing")

			// The webhook has encrypted the callback with the wrong key, or not at all.
			if test.keys == "" {
				w.env = append(w.env, "CODEC_ACCEPT_PLAINTEXT=true")
			}
			w.restart(strings.TrimRight(right+","+strings.Replace(test.keys, "studio:", "mistaken:", 1), ","))
			got := w.run("wait", waiting, fresh)
			require.Zero(t, got.code, got.err)
			require.Equal(t, 2, w.ledger().Charges)
		})
	}
}

// A census without the key counts a job in an unknown stage, and the worker keeps
// running.
func TestCountingWithoutTheKey(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{withPorts, "CODEC_KEYS=" + codecKey("studio", 1)}})
	id := w.submitted("counted [render: held]")
	w.until("the job waits", func() bool {
		return strings.Contains(w.run("status", id, "--json").out, `"stage": "`+string(workflows.StageWaiting)+`"`)
	})
	w.awaitListed(1)
	other := start(t, withCodecKeys(w.env, codecKey("other", 2)), "worker")
	other.awaitOutput("worker running")
	w.until("the job is counted", func() bool {
		values, _ := other.samples()
		return values[`lumaflow_jobs{stage="unknown"}`] == 1
	})
	require.Zero(t, other.stop())
	w.control("release", struct{}{})
	require.Zero(t, w.run("wait", id).code)
	require.Equal(t, 1, w.ledger().Charges)
}
