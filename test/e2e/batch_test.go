package e2e_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/starter"
	"lumaflow/workflows"
)

// batchLine is a line of a batch file. The task queue makes it unique to the world.
func (w *world) batchLine(prompt string) string { return jobInput(w.taskQueue + " " + prompt) }

// The same file twice is the same jobs: each is charged once.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	var prompts, lines []string
	for _, prompt := range []string{"one", "lost [fault: response-lost]", "cut [fault: truncated]", "no callback [fault: callback-lost]", "many [results: 2]"} {
		prompts = append(prompts, w.taskQueue+" "+prompt)
		lines = append(lines, w.batchLine(prompt))
	}
	file := writeLines(t, append(lines, "", lines[0])...)
	first := w.run("batch", file, "--json")
	require.Zero(t, first.code, first.err)
	outcomes := w.outcomes(first)
	require.Len(t, outcomes, len(prompts))
	for i, outcome := range outcomes {
		require.Equal(t, i+1, outcome.Line)
		w.verified(*outcome.Result, w.charge(prompts[i]))
	}

	second := w.run("batch", file, "--json")
	require.Zero(t, second.code, second.err)
	for i, outcome := range w.outcomes(second) {
		require.Equal(t, outcomes[i].RunID, outcome.RunID)
		require.True(t, outcome.Existing)
	}
	require.Equal(t, len(prompts), w.ledger().Charges, "the same file twice is charged once")
}

// A failed job that was charged is submitted again only with --retry-failed.
func TestBatchWithAFailure(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	file := writeLines(t, w.batchLine("good"), w.batchLine("bad [fault: moderation]"))
	for range 2 {
		got := w.run("batch", file)
		require.Equal(t, 1, got.code, got.err)
		require.Contains(t, got.err, "line 2: job luma-")
		require.Contains(t, got.err, "1 of 2 jobs ended without their video")
		require.Equal(t, 2, w.ledger().Charges)
	}
	got := w.run("batch", file, "--retry-failed", "--json")
	require.Equal(t, 1, got.code, got.err)
	require.Equal(t, workflows.GenerationFailed, w.outcomes(got)[1].Failure.Type)
	require.Equal(t, 3, w.ledger().Charges)
}

// A file with one bad line starts nothing.
func TestMalformedBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	got := w.run("batch", writeLines(t, w.batchLine("fine"), `{"prompt":"no video"}`))
	require.Equal(t, 2, got.code, got.err)
	require.Contains(t, got.err, "line 2: videoUrl is blank")
	require.Empty(t, got.out)
	require.Zero(t, w.ledger().Charges)
}

// The same command continues a batch whose command was killed.
func TestKilledBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0"}})
	const jobs = 30
	var lines []string
	for i := range jobs {
		lines = append(lines, w.batchLine(strconv.Itoa(i)))
	}
	file := writeLines(t, lines...)
	killed := start(t, w.env, "batch", file, "--at-once", "4")
	w.until("some jobs are charged", func() bool { return w.ledger().Charges >= 6 })
	killed.kill()
	require.Less(t, w.ledger().Charges, jobs, "the batch was killed too late")

	got := w.run("batch", file, "--json")
	require.Zero(t, got.code, got.err)
	for _, outcome := range w.outcomes(got) {
		require.Equal(t, starter.StateCompleted, outcome.State)
	}
	require.Equal(t, jobs, w.ledger().Charges)
}
