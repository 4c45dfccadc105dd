package census_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"lumaflow/store"
	"lumaflow/workflows"
)

const (
	running    = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	failed     = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	canceled   = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
	terminated = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
)

func TestNoJobs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, map[string]float64{
		"jobs submitting": 0, "jobs held": 0, "jobs submit-unknown": 0, "jobs waiting": 0, "jobs collecting": 0, "jobs unknown": 0,
		"charges_unresolved": 0, "oldest_job": 0, "media_at_risk": 0, "media_hours_left": math.Inf(1),
		"census_timestamp": float64(now.Unix()),
	}, f.shown.Values())
	for _, query := range f.temporal.queries {
		assert.Contains(t, query, `WorkflowType = 'ModifyVideo' AND TaskQueue = 'o\'queue' AND `)
	}
}

// With search attributes the list says it all; only jobs that have not set
// theirs yet are asked.
func TestStagesFromAttributes(t *testing.T) {
	t.Parallel()
	f := newFixture(t,
		job{id: "fresh", status: running, age: time.Second, stage: workflows.StageSubmitting},
		job{id: "a", status: running, age: time.Minute, attribute: workflows.StageWaiting},
		job{id: "b", status: running, age: 2 * time.Hour, attribute: workflows.StageWaiting},
		job{id: "c", status: running, age: time.Hour, attribute: workflows.StageSubmitUnknown},
		job{id: "d", status: running, age: time.Hour, attribute: workflows.StageHeld},
		job{id: "ending", status: running, age: time.Minute, attribute: workflows.StageDone},
	)
	f.attributes = true
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 2.0, f.value("jobs waiting"))
	assert.Equal(t, 1.0, f.value("jobs submitting"))
	assert.Equal(t, 1.0, f.value("jobs submit-unknown"))
	assert.Equal(t, 1.0, f.value("jobs held"))
	assert.Equal(t, 1.0, f.value("jobs unknown"))
	assert.Equal(t, 1.0, f.value("charges_unresolved"))
	assert.Equal(t, (2 * time.Hour).Seconds(), f.value("oldest_job"))
	assert.Equal(t, 1, f.temporal.asked)
}

// Without them jobs are asked, a bounded number, and not at all when nobody
// answers.
func TestStagesFromTheJobs(t *testing.T) {
	t.Parallel()
	var jobs []job
	for i := range 150 {
		jobs = append(jobs, job{id: fmt.Sprint(i), status: running, age: time.Duration(i) * time.Minute, stage: workflows.StageWaiting})
	}
	f := newFixture(t, jobs...)
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 100.0, f.value("jobs waiting"))
	assert.Equal(t, 50.0, f.value("jobs unknown"))
	assert.Equal(t, 100, f.temporal.asked)
	assert.Equal(t, (149 * time.Minute).Seconds(), f.value("oldest_job"))

	f.temporal.silent, f.temporal.asked = true, 0
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 150.0, f.value("jobs unknown"))
	assert.Less(t, f.temporal.asked, 20)
}

// However many jobs there are, the work is bounded and the sum is right.
func TestManyJobs(t *testing.T) {
	t.Parallel()
	var jobs []job
	for i := range 6000 {
		jobs = append(jobs, job{id: fmt.Sprint(i), status: running, age: time.Minute, attribute: workflows.StageWaiting})
	}
	f := newFixture(t, jobs...)
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 5000.0, f.value("jobs waiting"))
	assert.Equal(t, 1000.0, f.value("jobs unknown"))
	assert.Equal(t, 11+1, f.temporal.pages, "5,000 jobs in pages of 500, one to see that there are more, and one of ended jobs")
	assert.Equal(t, 1, f.temporal.counted)
}

func TestMediaAtRisk(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	done := now.Add(-2 * day)
	tests := []struct {
		name string
		job  job
		left float64 // hours; 0 if it is not at risk
	}{
		{"its download was rejected", job{status: failed, age: 3 * day, taskID: "t", completed: done}, 12 * 24},
		{"its end is not known", job{status: failed, age: 3 * day, taskID: "t", failure: workflows.ResultOverdue}, 11 * 24},
		{"it was cancelled while it waited", job{status: canceled, age: day, taskID: "t"}, 13 * 24},
		{"it was terminated while it downloaded", job{status: terminated, age: 3 * day, taskID: "t", completed: done}, 12 * 24},
		{"it adopted an old task", job{status: canceled, age: time.Hour, taskID: "t", created: now.Add(-10 * day)}, 4 * 24},
		{"it is open and downloads", job{status: running, age: 3 * day, attribute: workflows.StageCollecting, taskID: "t", completed: done}, 12 * 24},
		{"the generation failed", job{status: failed, age: day, taskID: "t", failure: workflows.GenerationFailed}, 0},
		{"nothing was submitted", job{status: failed, age: day}, 0},
		{"it is open and waits", job{status: running, age: day, attribute: workflows.StageWaiting, taskID: "t"}, 0},
		{"it is deleted by now", job{status: failed, age: 14*day + time.Hour, taskID: "t"}, 0},
		{"Temporal has forgotten it meanwhile", job{status: failed, age: day, taskID: "t", gone: true}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.job.id = "job"
			f := newFixture(t, test.job)
			require.NoError(t, f.Count(t.Context()))
			if test.left == 0 {
				assert.Zero(t, f.value("media_at_risk"))
				assert.Equal(t, math.Inf(1), f.value("media_hours_left"))
				return
			}
			assert.Equal(t, 1.0, f.value("media_at_risk"))
			assert.InDelta(t, test.left, f.value("media_hours_left"), 0.01)
		})
	}
}

func TestCollectedMediaAreNotAtRisk(t *testing.T) {
	t.Parallel()
	lost := job{id: "job", status: failed, age: time.Hour, taskID: "t", input: workflows.ModifyVideoInput{Name: "beach"}}
	for _, name := range []string{"beach", ""} {
		f := newFixture(t, lost)
		f.shelf.receipts[store.ReceiptName(name, "t")] = store.Receipt{TaskID: "t"}
		require.NoError(t, f.Count(t.Context()))
		assert.Zero(t, f.value("media_at_risk"), "its receipt is there under %q", name)
	}
	f := newFixture(t, lost)
	f.shelf.receipts[store.ReceiptName("", "t")] = store.Receipt{TaskID: "another"}
	f.temporal.taken["t"] = true
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 1.0, f.value("media_at_risk"), "without search attributes nobody knows who else collected it")
	f = newFixture(t, lost)
	f.attributes, f.temporal.taken["t"] = true, true
	require.NoError(t, f.Count(t.Context()))
	assert.Zero(t, f.value("media_at_risk"))
	f = newFixture(t, lost)
	f.shelf.err = errDisk
	require.NoError(t, f.Count(t.Context()))
	assert.Equal(t, 1.0, f.value("media_at_risk"), "a store that can't be read proves nothing")
}

// Histories are read once, some at a time; two jobs of one task are one video.
func TestHistoriesAreReadOnce(t *testing.T) {
	t.Parallel()
	var jobs []job
	for i := range 450 {
		jobs = append(jobs, job{id: fmt.Sprint(i), status: failed, age: time.Hour, taskID: fmt.Sprint("task-", i/2)})
	}
	f := newFixture(t, jobs...)
	var known []float64
	for range 41 {
		require.NoError(t, f.Count(t.Context()))
		known = append(known, f.value("media_at_risk"))
	}
	assert.Equal(t, []float64{100, 200, 225, 225, 225}, []float64{known[0], known[10], known[20], known[30], known[40]})
	assert.Equal(t, 450, f.temporal.reads)
}

func TestTemporalIsAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t, job{id: "a", status: running, age: time.Hour, attribute: workflows.StageWaiting})
	require.NoError(t, f.Count(t.Context()))
	f.temporal.down = true
	before := f.shown.Values()
	later := now.Add(time.Minute)
	f.now = func() time.Time { return later }
	require.ErrorContains(t, f.Count(t.Context()), "count the open jobs")
	assert.Equal(t, before, f.shown.Values(), "also the time, which shows how old the gauges are")
}
