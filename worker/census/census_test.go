package census_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"strconv"
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
	f := newFixture(t)
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, map[string]float64{
		"jobs submitting": 0, "jobs held": 0, "jobs submit-unknown": 0, "jobs waiting": 0, "jobs collecting": 0, "jobs unknown": 0,
		"charges_unresolved": 0, "oldest_job": 0, "media_at_risk": 0, "media_hours_left": math.Inf(1),
		"census_timestamp": float64(now.Unix()),
	}, f.recorder.Values())
	assert.Equal(t, `WorkflowType = 'ModifyVideo' AND TaskQueue = 'o\'queue' AND ExecutionStatus = 'Running'`, f.temporal.filter)
}

// Jobs with the search attribute are not queried.
func TestStagesFromAttributes(t *testing.T) {
	t.Parallel()
	f := newFixture(t,
		job{id: "fresh", age: time.Second, stage: workflows.StageSubmitting},
		job{id: "a", age: time.Minute, attribute: workflows.StageWaiting},
		job{id: "b", age: 2 * time.Hour, attribute: workflows.StageWaiting},
		job{id: "c", age: time.Hour, attribute: workflows.StageSubmitUnknown},
		job{id: "d", age: time.Hour, attribute: workflows.StageHeld},
		job{id: "ending", age: time.Minute, attribute: workflows.StageDone},
	)
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting":        2,
		"jobs submitting":     1,
		"jobs submit-unknown": 1,
		"jobs held":           1,
		"jobs unknown":        1,
		"charges_unresolved":  1,
		"oldest_job":          (2 * time.Hour).Seconds(),
	})
	assert.Equal(t, 1, f.temporal.queries)
}

// Jobs without the search attribute are queried: at most 100, and only a few if
// no worker answers.
func TestStagesFromQueries(t *testing.T) {
	t.Parallel()
	var jobs []job
	for i := range 150 {
		jobs = append(jobs, job{id: strconv.Itoa(i), age: time.Duration(i) * time.Minute, stage: workflows.StageWaiting})
	}
	f := newFixture(t, jobs...)
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting": 100,
		"jobs unknown": 50,
	})
	assert.Equal(t, 100, f.temporal.queries)
	f.assertGauges(t, map[string]float64{"oldest_job": (149 * time.Minute).Seconds()})

	stuck := newFixture(t, append([]job{{id: "stuck"}, {id: "also stuck"}, {id: "lost", stage: workflows.StageSubmitUnknown}}, jobs[:90]...)...)
	require.NoError(t, stuck.Count(t.Context()))
	stuck.assertGauges(t, map[string]float64{
		"jobs unknown":       2,
		"jobs waiting":       90,
		"charges_unresolved": 1,
	})

	f.temporal.noWorker, f.temporal.queries = true, 0
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{"jobs unknown": 150})
	assert.Less(t, f.temporal.queries, 20)
}

// The number of requests is bounded and the sum is exact for any number of jobs.
func TestManyJobs(t *testing.T) {
	t.Parallel()
	var jobs []job
	for i := range 6000 {
		jobs = append(jobs, job{id: strconv.Itoa(i), age: time.Minute, attribute: workflows.StageWaiting})
	}
	f := newFixture(t, jobs...)
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting": 5000,
		"jobs unknown": 1000,
	})
	assert.Equal(t, 10, f.temporal.pages, "5,000 jobs in pages of 500")
	assert.Equal(t, 1, f.temporal.countRequests)
}

// The videos at risk are those of `lumaflow list --at-risk`. Every thirtieth count
// searches for them.
func TestMediaAtRisk(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.media.found = []starter.Risk{{DeletedAt: now.Add(90 * time.Minute)}, {DeletedAt: now.Add(100 * time.Hour)}}
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"media_at_risk":    2,
		"media_hours_left": 1.5,
	})
	assert.Equal(t, "o'queue", f.media.filter.TaskQueue)
	assert.Greater(t, f.media.filter.Limit, 1_000_000)

	f.media.found = nil
	for range 29 {
		require.NoError(t, f.Count(t.Context()))
	}
	assert.Equal(t, 1, f.media.searches)
	f.assertGauges(t, map[string]float64{"media_at_risk": 2})
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 2, f.media.searches)
	f.assertGauges(t, map[string]float64{
		"media_at_risk":    0,
		"media_hours_left": math.Inf(1),
	})
}

// From day 7 on the log warns once an hour of videos that are not stored, also of
// those of ended jobs.
func TestWarningBeforeDeletion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const day = 24 * time.Hour
	warnings := func(found ...starter.Risk) int {
		t.Helper()
		f.log.Reset()
		f.media.found = found
		before := f.media.searches
		for f.media.searches == before {
			require.NoError(t, f.Count(t.Context()))
		}
		return strings.Count(f.log.String(), "\n")
	}
	young, old, older := starter.Risk{DeletedAt: now.Add(7*day + time.Minute)}, starter.Risk{DeletedAt: now.Add(7 * day)}, starter.Risk{DeletedAt: now.Add(90 * time.Minute)}
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
		f := newFixture(t)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Hour)
		defer cancel()
		f.Guard(ctx)
		assert.InDelta(t, 4.5, f.media.searches, 0.6)
		assert.Zero(t, f.temporal.pages, "no jobs are listed")
	})
}

// A failed search is repeated at the next count.
func TestFailedSearchIsRepeated(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.media.err = errors.New("timeout")
	require.ErrorContains(t, f.Count(t.Context()), "search for videos that are not stored: timeout")
	assert.NotContains(t, f.recorder.Values(), "census_timestamp")
	f.media.err = nil
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 2, f.media.searches)
}

func TestTemporalUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(t, job{id: "a", age: time.Hour, attribute: workflows.StageWaiting})
	require.NoError(t, f.Count(t.Context()))
	f.temporal.down = true
	before := f.recorder.Values()
	open := []string{
		"jobs submitting", "jobs held", "jobs submit-unknown", "jobs waiting", "jobs collecting", "jobs unknown", "charges_unresolved", "oldest_job",
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

	f.temporal.down = false
	require.NoError(t, f.Count(t.Context()))
	f.assertGauges(t, map[string]float64{
		"jobs waiting":       1,
		"charges_unresolved": 0,
		// The search follows at once.
		"media_at_risk":    0,
		"census_timestamp": float64(f.now.Unix()),
	})
}
