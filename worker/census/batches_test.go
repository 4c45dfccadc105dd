package census_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/workflows/batches"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.jobs.batches = []batches.Progress{
		{Phase: batches.PhaseRunning, Counts: batches.Counts{Done: 10, Failed: 2}, InFlight: 5, NotStarted: 3, StartedAt: now.Add(-time.Hour), LastEndAt: now.Add(-time.Minute)},
		{Phase: batches.PhaseHeld, StartedAt: now.Add(-time.Hour), Counts: batches.Counts{Done: 1}, InFlight: 1, NotStarted: 100},
		{},
	}
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"batches running": 1, "batches held": 1, "batches paused": 0, "batches unknown": 1,
		"batch_idle running": 60, "batch_idle held": 3600, "batch_idle paused": 0, "batch_idle unknown": 0,
		"batch_jobs done": 11, "batch_jobs failed": 2, "batch_jobs in-flight": 6, "batch_jobs not-started": 103,
	})
}

func TestUnlistedBatches(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.jobs.batchErr = errors.New("unavailable")
	require.ErrorContains(t, f.Count(t.Context()), "count the open batches: unavailable")
}
