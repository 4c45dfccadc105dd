package e2e_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/temporal/devserver"
	"lumaflow/internal/temporal/dial"
	"lumaflow/workflows/batches"
)

// A batch uses the whole rate of the account, 2 submissions a second for all workers
// together, although Temporal limits each of the four partitions of the task queue
// separately.
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

	// The last submissions come more slowly, when some partitions are empty.
	ledger := w.ledger()
	rate := 50 / ledger.Tasks[70].Time.Sub(ledger.Tasks[20].Time).Seconds()
	t.Logf("%.2f submissions a second; refused %v", rate, ledger.Refused)
	// A partition alone has 0.5 a second. A busy machine loses some of the rate.
	assert.GreaterOrEqual(t, rate, 1.5)
	assert.LessOrEqual(t, rate, 2.25)
	// The rate is kie.ai's limit: a few milliseconds too early are a refusal, which is
	// repeated at no cost.
	assert.LessOrEqual(t, ledger.Refused[http.StatusTooManyRequests], jobs/5)
}
