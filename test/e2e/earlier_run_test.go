package e2e_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/workflows"
)

var collectCommand = regexp.MustCompile("`lumaflow (submit --task-id [^`]+)`")

// A job that paid in an earlier run is not submitted again, although its last run
// ended with nothing paid. The command in the error collects the video.
func TestSubmitAfterAnEarlierRunPaid(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	const id, prompt = "e2e-paid-earlier", "paid earlier [render: held]"
	submit := []string{"submit", "--id", id, "--prompt", prompt, "--video", "https://cdn.example.org/in.mp4", "--deadline", "3s"}
	first := w.run(submit...)
	require.Zero(t, first.code, first.err)
	_, err := w.result(id)
	require.ErrorContains(t, err, workflows.ResultOverdue)
	w.start(id, `{"prompt":"","videoUrl":"https://cdn.example.org/in.mp4"}`)
	_, err = w.result(id)
	require.ErrorContains(t, err, workflows.InvalidRequest)

	task := w.charge(prompt).TaskID
	w.until("Temporal lists both runs", func() bool {
		shown := w.run("status", id)
		require.Zero(t, shown.code, shown.err)
		return strings.Contains(shown.out, "2 runs, 1 charge\n")
	})
	refused := w.run(submit...)
	require.Equal(t, 1, refused.code, refused.err)
	require.Contains(t, refused.err, "task "+task+" is paid")
	require.Equal(t, id, w.atRisk()[task].WorkflowID)

	w.control("release", struct{}{})
	next := collectCommand.FindStringSubmatch(refused.err)
	require.NotNil(t, next, refused.err)
	collected := w.run(append(strings.Fields(next[1]), "--wait", "--json")...)
	require.Zero(t, collected.code, collected.err)
	outcome := w.outcomes(answer{out: "[" + collected.out + "]"})[0]
	w.verified(*outcome.Result, w.charge(prompt))
	w.until("nothing is at risk", func() bool { return len(w.atRisk()) == 0 })

	again := w.run(submit...)
	require.Equal(t, 1, again.code, "the job is paid, whichever job stored its video")

	// Temporal forgets the last run.
	got := w.temporalCLI("workflow", "delete", "--workflow-id", id)
	require.Zero(t, got.code, got.err)
	w.until("the last run is deleted", func() bool { return w.run("status", id).code != 0 })
	again = w.run(submit...)
	require.Equal(t, 1, again.code, again.err)
	require.Contains(t, again.err, "task "+task+" is paid")
	require.Equal(t, 1, w.ledger().Charges)
}

var unpauseCommand = regexp.MustCompile("paused; continue it with: temporal (activity unpause [^;\n]+)")

// status shows a paused activity with the command that continues it, and a start with
// a timeout that is too short.
func TestStatusShowsDangers(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{env: []string{"POLL_AFTER=1s"}})
	const id, prompt = "e2e-paused", "paused [render: held]"
	got := w.temporalCLI("workflow", "start", "--task-queue", w.taskQueue, "--type", workflows.ModifyVideoName, "--workflow-id", id,
		"--run-timeout", "1h", "--input", jobInput(prompt))
	require.Zero(t, got.code, got.err)
	w.until("the job polls", func() bool {
		return w.temporalCLI("activity", "pause", "--workflow-id", id, "--activity-type", "Poll").code == 0
	})
	shown := w.run("status", id)
	require.Zero(t, shown.code, shown.err)
	require.Contains(t, shown.out, "run timeout 1h0m0s, which is shorter than its deadline of 24h0m0s")
	next := unpauseCommand.FindStringSubmatch(shown.out)
	require.NotNil(t, next, shown.out)
	got = w.temporalCLI(strings.Fields(next[1])...)
	require.Zero(t, got.code, got.err)
	shown = w.run("status", id)
	require.NotContains(t, shown.out, "paused; continue")
	w.control("release", struct{}{})
	w.paidOnce(id, prompt)
}
