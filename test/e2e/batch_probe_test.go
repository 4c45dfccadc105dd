package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid/runs"
	"lumaflow/workflows/batches"
)

// Without credit one job of a batch probes, whatever the number of its workers, and
// the batch goes on by itself after a top-up.
func TestProbeOfABatch(t *testing.T) {
	t.Parallel()
	const jobs, workers, pause = 20, 3, 5 * time.Second
	w := enter(t, setup{simulate: []string{"--rate-limit", "0", "--credits", "0", "--retry-after", pause.String()}})
	for range workers - 1 {
		w.startWorker()
	}
	location, _ := w.manifest(numbered(jobs)...)
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location, Concurrency: jobs})
	b.await("the jobs are held", func(p batches.Progress) bool { return p.Held > 1 })
	w.until("the batch has named the job that probes", func() bool { return b.probe() != "" })

	refused := func() int { return w.ledger().Refused[http.StatusPaymentRequired] }
	atRefusals := func(count int) time.Time {
		w.until("the job probes", func() bool { return refused() >= count })
		return time.Now()
	}
	// An attempt that began before the job had its name may be under way on each worker.
	first := refused() + workers
	const probes = 4
	began := atRefusals(first)
	took := atRefusals(first + probes).Sub(began)
	t.Logf("%d probes of %d jobs on %d workers in %s, after a refusal every %s", probes, jobs, workers, took.Round(time.Millisecond), pause)
	require.Greater(t, took, (probes-1)*pause)

	w.control("topup", map[string]int{"credits": 10_000})
	result, err := b.end()
	require.NoError(t, err)
	b.requireAllDone(result, jobs)
}

// probe is the job that probes for the batch, as its memo names it; empty if there is
// none.
func (b *batch) probe() (jobID string) {
	b.t.Helper()
	described, err := b.client.DescribeWorkflow(b.t.Context(), b.id, "")
	require.NoError(b.t, err)
	named := described.RawResponse.GetWorkflowExecutionInfo().GetMemo().GetFields()[runs.ProbeMemo]
	if named != nil {
		require.NoError(b.t, converter.GetDefaultDataConverter().FromPayload(named, &jobID))
	}
	return jobID
}
