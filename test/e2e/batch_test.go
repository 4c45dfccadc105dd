package e2e_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/starter"
	"lumaflow/workflows"
)

// shot is a line of a batch that no other world's batches have.
func (w *world) shot(prompt string) string { return jobInput(w.taskQueue + " " + prompt) }

// The same file twice is the same jobs: each is paid once, whatever it meets.
func TestBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	var prompts, lines []string
	for _, prompt := range []string{"one", "lost [fault: response-lost]", "cut [fault: truncated]", "no callback [fault: callback-lost]", "many [results: 2]"} {
		prompts = append(prompts, w.taskQueue+" "+prompt)
		lines = append(lines, w.shot(prompt))
	}
	file := writeLines(t, append(lines, "", lines[0])...)
	first := w.run("batch", file, "--json")
	require.Zero(t, first.code, first.err)
	outcomes := w.many(first)
	require.Len(t, outcomes, len(prompts))
	for i, outcome := range outcomes {
		require.Equal(t, i+1, outcome.Line)
		w.verified(*outcome.Result, w.charge(prompts[i]))
	}

	again := w.run("batch", file, "--json")
	require.Zero(t, again.code, again.err)
	for i, outcome := range w.many(again) {
		require.Equal(t, outcomes[i].RunID, outcome.RunID)
		require.True(t, outcome.Existing)
	}
	require.Equal(t, len(prompts), w.ledger().Charges, "the same file twice pays once")
}

// A job that was paid and gave no video is paid again only if that is asked for.
func TestBatchOfWhichOneFails(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	file := writeLines(t, w.shot("good"), w.shot("bad [fault: moderation]"))
	for range 2 {
		got := w.run("batch", file)
		require.Equal(t, 1, got.code, got.err)
		require.Contains(t, got.err, "line 2: job luma-")
		require.Contains(t, got.err, "1 of 2 jobs ended without their video")
		require.Equal(t, 2, w.ledger().Charges)
	}
	got := w.run("batch", file, "--retry-failed", "--json")
	require.Equal(t, 1, got.code, got.err)
	require.Equal(t, workflows.GenerationFailed, w.many(got)[1].Failure.Type)
	require.Equal(t, 3, w.ledger().Charges)
}

// A file with one bad line starts nothing.
func TestBatchThatIsNoBatch(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	got := w.run("batch", writeLines(t, w.shot("fine"), `{"prompt":"no video"}`))
	require.Equal(t, 2, got.code, got.err)
	require.Contains(t, got.err, "line 2: videoUrl is blank")
	require.Empty(t, got.out)
	require.Zero(t, w.ledger().Charges)
}

// A batch whose command is killed goes on with the same command.
func TestBatchThatIsKilled(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--rate-limit", "0"}})
	const jobs = 30
	var lines []string
	for i := range jobs {
		lines = append(lines, w.shot(fmt.Sprint(i)))
	}
	file := writeLines(t, lines...)
	killed := start(t, w.env, "batch", file, "--at-once", "4")
	w.until("some are paid", func() bool { return w.ledger().Charges >= 6 })
	killed.kill()
	require.Less(t, w.ledger().Charges, jobs, "it was killed too late")

	got := w.run("batch", file, "--json")
	require.Zero(t, got.code, got.err)
	for _, outcome := range w.many(got) {
		require.Equal(t, starter.StateCompleted, outcome.State)
	}
	require.Equal(t, jobs, w.ledger().Charges)
}
