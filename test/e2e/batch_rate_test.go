package e2e_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/temporal/devserver"
	"lumaflow/internal/temporal/dial"
	"lumaflow/workflows/batches"
)

// A batch uses the whole rate of the account, 2 submissions a second for all workers
// together, although Temporal limits each of the four partitions of the task queue
// separately. It does not exceed kie.ai's limit.
func TestRateOfABatch(t *testing.T) {
	t.Parallel()
	server, err := devserver.Start(t.Context(), devserver.Options{
		DynamicConfig: []string{"matching.numTaskqueueReadPartitions=4", "matching.numTaskqueueWritePartitions=4"},
		Progress:      os.Stderr,
	})
	require.NoError(t, err)
	defer server.Stop()
	client, err := dial.Temporal(t.Context(), dial.Options{Env: settings{"TEMPORAL_ADDRESS": server.Address()}})
	require.NoError(t, err)
	defer client.Close()
	w := enter(t, setup{env: []string{"TEMPORAL_ADDRESS=" + server.Address(), "SUBMITS_PER_SECOND=2"}, simulate: []string{"--render", "200ms"}})
	w.client = client
	w.startWorker()
	const jobs = 100
	location, _ := w.manifest(numbered(jobs)...)
	b := w.startBatch(w.taskQueue+"-batch", batches.Input{Manifest: location})
	result, err := b.end()
	require.NoError(t, err)
	b.requireAllDone(result, jobs)

	// The first submissions may come in a burst, the last ones when partitions are empty.
	ledger := w.ledger()
	from, to := ledger.Tasks[20], ledger.Tasks[80]
	rate := 60 / to.Time.Sub(from.Time).Seconds()
	all := float64(jobs-1) / ledger.Tasks[jobs-1].Time.Sub(ledger.Tasks[0].Time).Seconds()
	t.Logf("%.2f submissions a second in the middle, %.2f from the first to the last, in %s; refused %v",
		rate, all, ledger.Tasks[jobs-1].Time.Sub(ledger.Tasks[0].Time).Round(time.Second), ledger.Refused)
	assert.InDelta(t, 2, rate, 0.2)
	assert.Greater(t, all, 1.8)
	assert.Empty(t, ledger.Refused)
}
