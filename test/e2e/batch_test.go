package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// batchLine is a line of a batch file. The task queue makes it unique to the world.
func (w *world) batchLine(prompt string) string { return jobInput(w.taskQueue + " " + prompt) }

// batchReport decodes the JSON output of batch.
func (w *world) batchReport(got answer) (report starter.BatchReport) {
	w.t.Helper()
	require.NoError(w.t, json.Unmarshal([]byte(got.out), &report), "%s%s", got.out, got.err)
	return report
}

// The same file twice is the same batch, and each of its jobs is charged once: faults,
// blank lines and repeated lines included.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	var prompts, lines []string
	for _, prompt := range []string{"one", "lost [fault: response-lost]", "cut [fault: truncated]", "no callback [fault: callback-lost]", "many [results: 2]"} {
		prompts = append(prompts, w.taskQueue+" "+prompt)
		lines = append(lines, w.batchLine(prompt))
	}
	file := writeLines(t, append([]string{"", lines[0], ""}, lines...)...)
	first := w.run("batch", file, "--json")
	require.Zero(t, first.code, first.err)
	report := w.batchReport(first)
	require.True(t, report.AllStored())
	require.Equal(t, len(prompts), report.Result.Charges)
	results := (&batch{w, report.WorkflowID}).results(*report.Result)
	require.Len(t, results, len(lines)+1)
	for i, line := range []int{2, 4, 5, 6, 7, 8} {
		require.Equal(t, line, results[i].Line, "the lines of the file")
	}
	require.Equal(t, activities.OutcomeDuplicate, results[1].Outcome)
	for i, prompt := range prompts {
		result, err := w.result(starter.JobID(workflows.ModifyVideoInput{Prompt: prompt, VideoURL: "https://cdn.example.org/in.mp4"}, ""))
		require.NoError(t, err)
		w.verified(result, w.charge(prompt))
		if i > 0 {
			require.Equal(t, result.TaskID, results[i+1].TaskID)
		}
	}

	second := w.run("batch", file)
	require.Zero(t, second.code, second.err)
	require.Contains(t, second.err, "batch "+report.WorkflowID+" is done already, nothing was started")
	require.Contains(t, second.out, report.Result.Results)
	other := w.run("batch", file, "--key", "again", "--json")
	require.Zero(t, other.code, other.err)
	require.NotEqual(t, report.WorkflowID, w.batchReport(other).WorkflowID)
	require.Equal(t, len(prompts), w.batchReport(other).Result.Existing)
	require.Equal(t, len(prompts), w.ledger().Charges, "the same jobs are charged once")
}

// With keys, a batch starts and finds jobs, and their reports and results reach it.
func TestEncryptedBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{"CODEC_KEYS=" + codecKey("studio", 1)}})
	file := writeLines(t, w.batchLine("one"), w.batchLine("two"), w.batchLine("none [fault: generation-failed]"))
	first := w.run("batch", file, "--json")
	require.Equal(t, 1, first.code, first.err)
	report := w.batchReport(first)
	require.Equal(t, 2, report.Result.Done)
	require.Equal(t, 1, report.Result.Failed)
	require.Equal(t, 3, report.Result.Charges)
	again := w.run("batch", file, "--key", "again", "--json")
	require.Equal(t, 1, again.code, again.err)
	require.Equal(t, 3, w.batchReport(again).Result.Existing)
	require.Equal(t, 3, w.ledger().Charges)
}

// A batch is planned, run, left, paused, resumed, stopped and retried.
func TestControlOfABatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0", "--render", "1s"}})
	const jobs = 30
	lines := []string{w.batchLine("bad [fault: moderation]"), w.batchLine("good")}
	// As many are held as can be open before the batch is paused, and before it is stopped.
	for len(lines) < 2+3+4 {
		lines = append(lines, w.batchLine(fmt.Sprintf("%d [render: held]", len(lines))))
	}
	for len(lines) < jobs {
		lines = append(lines, w.batchLine(strconv.Itoa(len(lines))))
	}
	file := writeLines(t, lines...)
	planned := w.run("batch", file, "--plan", "--price-per-job", "0.5")
	require.Zero(t, planned.code, planned.err)
	require.Contains(t, planned.out, "submissions  30 to be paid\n")
	require.Contains(t, planned.out, "price        15.00 (30 × 0.5)\n")
	require.Zero(t, w.ledger().Charges)

	running := start(t, w.env, "batch", file, "--at-once", "3")
	id := running.awaitOutput("batch (batch-[0-9a-f]{32}) is started: 30 jobs, at most 3 open")
	running.awaitOutput("[1-9][0-9]* of 30 done, ")
	paused := w.run("batch", "pause", id)
	require.Zero(t, paused.code, paused.err)
	require.Contains(t, paused.err, "is paused; open jobs continue: ")
	running.signal(syscall.SIGINT)
	running.awaitOutput("stopped watching: batch " + id + " continues by itself; watch it again with: lumaflow batch status " + id + " --watch")
	require.Equal(t, 1, running.exitCode())

	again := w.run("batch", "pause", id)
	require.Equal(t, 1, again.code)
	require.Equal(t, "lumaflow: batch "+id+" is paused already\n", again.err)
	w.until("the open jobs have ended", func() bool {
		w.control("release", struct{}{})
		return w.batchReport(w.run("batch", "status", id, "--json")).Progress.InFlight == 0
	})
	charges := w.ledger().Charges
	require.Less(t, charges, jobs, "the batch was paused too late")
	shown := w.run("batch", "status", id)
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "state   paused for ")
	require.Equal(t, 1, w.run("batch", "set-concurrency", "batch-none", "2").code)
	require.Zero(t, w.run("batch", "set-concurrency", id, "4").code)

	require.Zero(t, w.run("batch", "resume", id).code)
	w.until("more jobs are charged", func() bool { return w.ledger().Charges > charges })
	require.Zero(t, w.run("batch", "stop", id).code)
	w.until("the batch is over", func() bool {
		w.control("release", struct{}{})
		return w.batchReport(w.run("batch", "status", id, "--json")).Result != nil
	})
	stopped := w.run("batch", "status", id, "--watch")
	require.Equal(t, 1, stopped.code, stopped.err)
	require.Contains(t, stopped.out, "stopped  an operator stopped the batch")
	require.Less(t, w.ledger().Charges, jobs, "the batch was stopped too late")
	over := w.run("batch", "pause", id)
	require.Equal(t, 1, over.code)
	require.Equal(t, fmt.Sprintf("lumaflow: batch %s is over (completed); to go on with its jobs: lumaflow batch retry %s\n", id, id), over.err)

	retried := w.run("batch", "retry", id)
	require.Zero(t, retried.code, retried.err)
	w.until("the retry is over", func() bool {
		w.control("release", struct{}{})
		return w.batchReport(w.run("batch", "status", id, "--json")).Result != nil
	})
	ended := w.run("batch", "status", id, "--watch", "--json")
	require.Equal(t, 1, ended.code, ended.err)
	require.Contains(t, ended.err, "1 of 30 jobs ended without their video; ")
	require.Contains(t, ended.err, "line 1: job luma-")
	require.Equal(t, jobs-1, w.batchReport(ended).Result.Done)
	require.Equal(t, jobs+1, w.ledger().Charges, "what kie.ai made no video for is paid again, nothing else")

	same := w.run("batch", file, "--json")
	require.Equal(t, 1, same.code, same.err)
	require.Contains(t, same.err, "batch "+id+" had ended and is started again: 30 jobs, of which those with videos are found")
	require.Equal(t, jobs, w.batchReport(same).Result.Existing)
	require.Equal(t, jobs+1, w.ledger().Charges, "the same file costs nothing more")
	planned = w.run("batch", file, "--plan")
	require.Contains(t, planned.out, "jobs         30: 29 done already, 0 open already, 1 failed and not run again\nsubmissions  0 to be paid; the batch has paid 31, which a budget counts\n")
}

// A file of more lines than are sent to Temporal is read from the output of the workers.
func TestStoredBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0"}})
	lines := []string{"prompt,videoUrl"}
	for i := range 501 {
		lines = append(lines, fmt.Sprintf("%s shot %d,https://cdn.example.org/in.mp4", w.taskQueue, i%3))
	}
	file := filepath.Join(t.TempDir(), "shots.csv")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	got := w.run("batch", file, "--json")
	require.Zero(t, got.code, got.err)
	report := w.batchReport(got)
	require.Equal(t, 501, report.Result.Lines)
	require.Equal(t, 3, report.Result.Done)
	results := (&batch{w, report.WorkflowID}).results(*report.Result)
	require.Len(t, results, 501)
	require.Equal(t, 502, results[500].Line)
	require.Equal(t, 3, w.ledger().Charges)
}

// A file with one bad line starts nothing.
func TestMalformedBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{noWorker: true, noCallbacks: true})
	for _, test := range []struct {
		lines []string
		want  string
	}{
		{[]string{w.batchLine("fine"), `{"prompt":"no video"}`}, "line 2: videoUrl is blank"},
		{[]string{w.batchLine("fine"), `not json`}, "line 2: the input is malformed"},
		{[]string{""}, "holds no job"},
	} {
		got := w.run("batch", writeLines(t, test.lines...))
		require.Equal(t, 2, got.code, got.err)
		require.Contains(t, got.err, test.want)
		require.Equal(t, 1, strings.Count(got.err, "\n"), "one plain line: %s", got.err)
		require.Empty(t, got.out)
	}
	require.Zero(t, w.ledger().Charges)
}
