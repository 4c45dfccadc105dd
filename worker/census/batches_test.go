package census_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/workflows/batches"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.jobs.batches = []batches.Progress{
		{Phase: batches.PhaseRunning, Counts: batches.Counts{Done: 10, Failed: 2}, InFlight: 5, NotStarted: 3},
		{Phase: batches.PhaseHeld, Counts: batches.Counts{Done: 1}, InFlight: 1, NotStarted: 100},
		{},
	}
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"batches running": 1, "batches held": 1, "batches paused": 0, "batches unknown": 1,
		"batch_jobs done": 11, "batch_jobs failed": 2, "batch_jobs in-flight": 6, "batch_jobs not-started": 103,
	})
}

func TestUnlistedBatches(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.jobs.batchErr = errors.New("unavailable")
	require.ErrorContains(t, f.Count(t.Context()), "count the open batches: unavailable")
}
