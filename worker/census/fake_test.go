package census_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"lumaflow/starter"
	"lumaflow/test/metricstest"
	"lumaflow/worker/census"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// job is one open job.
type job struct {
	age   time.Duration
	stage workflows.Stage
}

// jobs lists the scripted open jobs and the scripted videos at risk.
type jobs struct {
	mu   sync.Mutex
	open []job
	// err fails every list, riskErr every search for videos at risk.
	err, riskErr error
	// batches are the open batches, batchErr fails their list.
	batches  []batches.Progress
	batchErr error
	// listed, counted and filtered record the requests for open jobs.
	listed, counted int
	filtered        starter.Filter

	found    []starter.Risk
	searches int
	filter   starter.RiskFilter
}

func (j *jobs) List(_ context.Context, filter starter.Filter) (entries []starter.Entry, more bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.listed, j.filtered = j.listed+1, filter
	for _, job := range j.open[:min(len(j.open), filter.Limit)] {
		entries = append(entries, starter.Entry{Stage: job.stage, StartedAt: now.Add(-job.age)})
	}
	return entries, len(j.open) > filter.Limit, j.err
}

func (j *jobs) Count(context.Context, starter.Filter) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counted++
	return len(j.open), j.err
}

func (j *jobs) AtRisk(_ context.Context, filter starter.RiskFilter) (starter.Risks, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.searches, j.filter = j.searches+1, filter
	return starter.Risks{Found: j.found}, j.riskErr
}

func (j *jobs) OpenBatches(context.Context, string) ([]batches.Progress, error) {
	return j.batches, j.batchErr
}

func expiring(at time.Time) starter.Risk {
	return starter.Risk{DeletedAt: at}
}

// polling holds the identities of the workers that poll the task queue.
type polling struct {
	mu         sync.Mutex
	identities []string
	err        error
}

func (p *polling) set(identities ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.identities = identities
}

func (p *polling) Any(_ context.Context, match func(*taskqueuepb.PollerInfo) bool) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := slices.ContainsFunc(p.identities, func(identity string) bool {
		return match(&taskqueuepb.PollerInfo{Identity: identity})
	})
	return found, p.err
}

// assertGauges compares the last values of the given gauges.
func (f *fixture) assertGauges(t *testing.T, want map[string]float64) {
	t.Helper()
	got := f.recorder.Values()
	maps.DeleteFunc(got, func(series string, _ float64) bool {
		_, wanted := want[series]
		return !wanted
	})
	assert.Equal(t, want, got)
}

// fixture is a census over scripted jobs.
type fixture struct {
	*census.Census
	jobs     *jobs
	polling  *polling
	recorder metricstest.Recorder
	log      *bytes.Buffer
	now      time.Time
	// clock returns now, unless a test replaces it.
	clock func() time.Time
}

func newFixture(open ...job) *fixture {
	f := &fixture{
		jobs:     &jobs{open: open},
		polling:  &polling{},
		recorder: metricstest.New(),
		log:      &bytes.Buffer{},
		now:      now,
	}
	f.clock = func() time.Time { return f.now }
	f.Census = census.New(census.Options{
		Jobs:      f.jobs,
		Pollers:   f.polling,
		Identity:  census.Identity("5@host@", true),
		TaskQueue: "o'queue",
		Metrics:   f.recorder,
		Logger:    slog.New(slog.NewTextHandler(f.log, nil)),
		Now:       func() time.Time { return f.clock() },
	})
	return f
}
