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
	require.Equal(t, 1, w.ledger().Charges)
}
