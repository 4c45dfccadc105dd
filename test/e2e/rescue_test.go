package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/starter"
)

// submitDirectly submits a task without lumaflow and without a callback URL.
func (w *world) submitDirectly(prompt string) (taskID string) {
	w.t.Helper()
	return w.submitInput(jobInput(prompt))
}

// submitInput submits the input of a job without a job.
func (w *world) submitInput(input string) (taskID string) {
	w.t.Helper()
	return w.submitAt("/api/v1/modify/generate", input)
}

// submitAt submits to a path of a family.
func (w *world) submitAt(path, input string) (taskID string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.simURL+path, strings.NewReader(input))
	require.NoError(w.t, err)
	request.Header.Set("Authorization", "Bearer "+apiKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	var answer struct {
		Code int
		Data struct{ TaskID string }
	}
	require.NoError(w.t, json.NewDecoder(response.Body).Decode(&answer))
	require.Equal(w.t, 200, answer.Code)
	return answer.Data.TaskID
}

// outcomes decodes the JSON output of rescue and batch.
func (w *world) outcomes(got answer) []starter.Outcome {
	w.t.Helper()
	var outcomes []starter.Outcome
	require.NoError(w.t, json.Unmarshal([]byte(got.out), &outcomes), "%s%s", got.out, got.err)
	return outcomes
}

func writeLines(t testing.TB, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lines")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

// Tasks that another tool submitted are collected once, for every success flag.
func TestRescue(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	prompts := []string{"plain", "four [fault: flag-4]", "four later [fault: flag-4-late]", "two [results: 2]", "cut [fault: reset]"}
	var ids []string
	for _, prompt := range prompts {
		ids = append(ids, w.submitDirectly(prompt))
	}
	file := writeLines(t, "# of the old tool", ids[1], "", ids[2]+" # late", ids[0], ids[3], ids[1])
	rescue := []string{"rescue", "--json", "--ids", file, ids[4], ids[0]}

	first := w.run(rescue...)
	require.Zero(t, first.code, first.err)
	outcomes := w.outcomes(first)
	require.Len(t, outcomes, len(ids), "each task once")
	bill := map[string]kietest.Charge{}
	for _, charge := range w.ledger().Tasks {
		bill[charge.TaskID] = charge
	}
	for _, outcome := range outcomes {
		require.Equal(t, starter.StateCompleted, outcome.State)
		require.False(t, outcome.Existing)
		w.verified(*outcome.Result, bill[outcome.TaskID])
	}
	downloads := w.ledger().Downloads

	second := w.run(rescue...)
	require.Zero(t, second.code, second.err)
	for i, outcome := range w.outcomes(second) {
		require.Equal(t, outcomes[i].RunID, outcome.RunID, "the same task is the same job")
		require.True(t, outcome.Existing)
	}
	require.Equal(t, downloads, w.ledger().Downloads, "nothing is downloaded twice")
	require.Equal(t, len(ids), w.ledger().Charges, "rescue costs nothing")

	shown := w.run("rescue", ids[0])
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "luma_result_"+ids[0]+"_1.mp4")
	require.NotContains(t, shown.out+shown.err, "\x1b", "no control characters in a file")
}

// A task whose video another job has stored is not downloaded.
func TestRescueOfACollectedTask(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	w.start("e2e-rescue-collected", jobInput("collected"))
	result, err := w.result("e2e-rescue-collected")
	require.NoError(t, err)
	downloads := w.ledger().Downloads
	got := w.run("rescue", "--json", result.TaskID)
	require.Zero(t, got.code, got.err)
	require.Equal(t, result.Videos[0].SHA256, w.outcomes(got)[0].Result.Videos[0].SHA256)
	require.Equal(t, downloads, w.ledger().Downloads)
	require.Equal(t, 1, w.ledger().Charges)
}

// A failed rescue reports the reason and the next step, and can be repeated.
func TestFailedRescue(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	good, bad := w.submitDirectly("good"), w.submitDirectly("bad [fault: moderation]")
	for range 2 {
		got := w.run("rescue", bad, good)
		require.Equal(t, 1, got.code, got.err)
		require.Contains(t, got.err, "task "+bad+": kie.ai could not make the video")
		require.Contains(t, got.err, "1 of 2 jobs ended without their video")
		require.Contains(t, got.out, "luma_result_"+good+"_1.mp4")
	}
	require.Equal(t, 2, w.ledger().Charges)
}

func TestRescueOfAnUnknownTask(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const unknown = "00000000000000000000000000000bad"
	got := w.run("rescue", unknown)
	require.Equal(t, 1, got.code, got.err)
	require.Contains(t, got.err, "0 of 1 done, 1 waiting: kie.ai has no record of task "+unknown+" yet: ", "the reason is shown while the job still polls")
	require.Contains(t, got.err, "kie.ai has no record of task "+unknown+": ")
	require.Contains(t, got.err, "https://kie.ai/logs")
	require.Contains(t, got.err, "the job ended without its video; the same task ids can be given again, at no cost")
	require.Zero(t, w.ledger().Charges)
}

// Ctrl-C ends the command, not the jobs.
func TestInterruptedRescue(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	task := w.submitDirectly("slow [render: held]")
	running := start(t, w.env, "rescue", task)
	running.awaitOutput("0 of 1 done, 1 (started|waiting)")
	running.signal(syscall.SIGINT)
	running.awaitOutput("stopped watching; of 1 job, continuing by themselves: 1; .*lumaflow list --open")
	require.Equal(t, 1, running.exitCode())

	w.control("release", struct{}{})
	got := w.run("rescue", task)
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.out, "luma_result_"+task+"_1.mp4")
	require.Equal(t, 1, w.ledger().Charges)
}
