package census_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/starter"
	"lumaflow/workflows"
)

func TestNoJobs(t *testing.T) {
	t.Parallel()
	f := newFixture()
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, map[string]float64{
		"jobs submitting": 0, "jobs held": 0, "jobs submit-unknown": 0, "jobs waiting": 0, "jobs collecting": 0, "jobs unknown": 0,
		"charges_unresolved": 0, "oldest_job": 0, "media_at_risk": 0, "media_hours_left": math.Inf(1),
		"batches checking": 0, "batches running": 0, "batches paused": 0, "batches held": 0, "batches stopping": 0, "batches unknown": 0,
		"batch_idle checking": 0, "batch_idle running": 0, "batch_idle paused": 0, "batch_idle held": 0, "batch_idle stopping": 0, "batch_idle unknown": 0,
		"batch_jobs done": 0, "batch_jobs failed": 0, "batch_jobs in-flight": 0, "batch_jobs not-started": 0,
		"census_timestamp": float64(now.Unix()),
	}, f.recorder.Values())
	assert.Equal(t, starter.Filter{Open: true, TaskQueue: "o'queue", Limit: 5000, Queries: 100}, f.jobs.filtered)
}

func TestStages(t *testing.T) {
	t.Parallel()
	f := newFixture(
		job{time.Second, workflows.StageSubmitting},
		job{time.Minute, workflows.StageWaiting},
		job{2 * time.Hour, workflows.StageWaiting},
		job{time.Hour, workflows.StageSubmitUnknown},
		job{time.Hour, workflows.StageHeld},
		job{time.Minute, workflows.StageDone},
		job{time.Minute, ""},
	)
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting":        2,
		"jobs submitting":     1,
		"jobs submit-unknown": 1,
		"jobs held":           1,
		"jobs unknown":        2,
		"charges_unresolved":  1,
		"oldest_job":          (2 * time.Hour).Seconds(),
	})
	assert.Zero(t, f.jobs.counted)
}

// The sum is exact for any number of jobs.
func TestManyJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(slices.Repeat([]job{{time.Minute, workflows.StageWaiting}}, 6000)...)
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting": 5000,
		"jobs unknown": 1000,
	})
	assert.Equal(t, 1, f.jobs.counted)
}

// The videos at risk are those of `lumaflow list --at-risk`. Every thirtieth count
// searches for them.
func TestMediaAtRisk(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.jobs.found = []starter.Risk{expiring(now.Add(90 * time.Minute)), expiring(now.Add(100 * time.Hour))}
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"media_at_risk":    2,
		"media_hours_left": 1.5,
	})
	assert.Equal(t, "o'queue", f.jobs.filter.TaskQueue)
	assert.Greater(t, f.jobs.filter.Limit, 1_000_000)

	f.jobs.found = nil
	for range 29 {
		require.NoError(t, f.Count(t.Context()))
	}
	assert.Equal(t, 1, f.jobs.searches)
	f.assertGauges(t, map[string]float64{"media_at_risk": 2})
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 2, f.jobs.searches)
	f.assertGauges(t, map[string]float64{
		"media_at_risk":    0,
		"media_hours_left": math.Inf(1),
	})
}

// From day 7 on the log warns once an hour of videos that are not stored, also of
// those of ended jobs.
func TestWarningBeforeDeletion(t *testing.T) {
	t.Parallel()
	f := newFixture()
	const day = 24 * time.Hour
	warnings := func(found ...starter.Risk) int {
		t.Helper()
		f.log.Reset()
		f.jobs.found = found
		before := f.jobs.searches
		for f.jobs.searches == before {
			require.NoError(t, f.Count(t.Context()))
		}
		return strings.Count(f.log.String(), "\n")
	}
	young, old, older := expiring(now.Add(7*day+time.Minute)), expiring(now.Add(7*day)), expiring(now.Add(90*time.Minute))
	assert.Zero(t, warnings())
	assert.Zero(t, warnings(young))
	assert.Equal(t, 1, warnings(older, old, young))
	assert.Contains(t, f.log.String(), `level=WARN msg="finished videos are not stored and kie.ai deletes them 14 days after their tasks ended" `+
		`videos=2 hoursLeft=1 next="lumaflow list --at-risk"`)
	f.now = now.Add(time.Hour - time.Second)
	assert.Zero(t, warnings(older))
	f.now = now.Add(time.Hour)
	assert.Equal(t, 1, warnings(older))
}

// Guard searches for media at once and then every hour.
func TestGuard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour)
		defer cancel()
		f.Guard(ctx)
		assert.InDelta(t, 4.5, f.jobs.searches, 0.6)
		assert.Zero(t, f.jobs.listed, "no jobs are listed")
	})
}

// A failed search is repeated at the next count.
func TestFailedSearchIsRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture()
	f.jobs.riskErr = errors.New("timeout")
	require.ErrorContains(t, f.Count(t.Context()), "search for videos that are not stored: timeout")
	assert.NotContains(t, f.recorder.Values(), "census_timestamp")
	f.jobs.riskErr = nil
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 2, f.jobs.searches)
}

func TestTemporalUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(job{time.Hour, workflows.StageWaiting})
	require.NoError(t, f.Count(t.Context()))
	f.jobs.err = errors.New("down")
	before := f.recorder.Values()
	open := []string{
		"jobs submitting", "jobs held", "jobs submit-unknown", "jobs waiting", "jobs collecting", "jobs unknown", "charges_unresolved", "oldest_job",
		"batches checking", "batches running", "batches paused", "batches held", "batches stopping", "batches unknown",
		"batch_idle checking", "batch_idle running", "batch_idle paused", "batch_idle held", "batch_idle stopping", "batch_idle unknown",
		"batch_jobs done", "batch_jobs failed", "batch_jobs in-flight", "batch_jobs not-started",
	}
	media := []string{"media_at_risk", "media_hours_left"}
	for _, later := range []struct {
		after   time.Duration
		unknown []string
	}{
		{time.Minute, nil},
		{5*time.Minute + 30*time.Second, nil},
		{5*time.Minute + 31*time.Second, open},
		{20 * time.Minute, open},
		{20*time.Minute + time.Second, append(open, media...)},
		{24 * time.Hour, append(open, media...)},
	} {
		f.now = now.Add(later.after)
		require.ErrorContains(t, f.Count(t.Context()), "count the open jobs")
		kept, after := maps.Clone(before), f.recorder.Values()
		for _, name := range later.unknown {
			assert.True(t, math.IsNaN(after[name]), "%s after %s", name, later.after)
			delete(kept, name)
			delete(after, name)
		}
		assert.Equal(t, kept, after, "after %s; the timestamp keeps its value and so gives the age of the others", later.after)
	}

	f.jobs.err = nil
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting":       1,
		"charges_unresolved": 0,
		// The search follows at once.
		"media_at_risk":    0,
		"census_timestamp": float64(f.now.Unix()),
	})
}
