package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/callback"
	"lumaflow/internal/paid/runs"
	"lumaflow/test/metricstest"
	"lumaflow/webhook"
)

// over makes the jobs of a fixture end.
func (f *fixture) over() {
	f.temporal.answer = func(context.Context) error { return serviceerror.NewNotFound("workflow execution already completed") }
}

// A callback for a job that is over is answered 200 once its task has a collecting
// job, or needs none.
func TestJobIsOver(t *testing.T) {
	tests := []struct {
		name    string
		outcome runs.Outcome
		err     error
		status  int
		answer  string
		reason  string
		verdict string
	}{
		{"collecting", runs.Collecting, nil, 200, "received", `reason="job is over: collecting"`, "collecting"},
		{"stored", runs.Stored, nil, 200, "received", `reason="job is over: stored"`, "stored"},
		{"ended by a person", runs.AtRisk, nil, 200, "received", `reason="job is over: at risk"`, "at-risk"},
		{"open again", "", runs.ErrOpen, 503, "try again", `error="the job is open again"`, "unavailable"},
		{"Temporal does not answer", "", errors.New("unavailable"), 503, "try again", "error=unavailable", "unavailable"},
		{"no such namespace", "", serviceerror.NewNotFound("no"), 503, "try again", "error=no", "unavailable"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			counted := metricstest.New()
			f := newFixture(t, func(options *webhook.Options) { options.Metrics = counted })
			f.over()
			f.collector.collect = func(context.Context) (runs.Outcome, error) { return test.outcome, test.err }
			response := f.post(t, "j", success("t"))
			requireAnswer(t, response, test.status, test.answer)
			if test.status == http.StatusServiceUnavailable {
				assert.Equal(t, "10", response.Header.Get("Retry-After"))
			}
			assert.Equal(t, []collected{{"j", "t"}}, f.collector.recorded())
			assert.Contains(t, f.log.String(), test.reason)
			assert.Equal(t, map[string]float64{"callbacks " + test.verdict: 1}, counted.Values())
		})
	}
}

func TestOpenJobIsNotCollected(t *testing.T) {
	f := newFixture(t)
	requireAnswer(t, f.post(t, "j", success("t")), 200, "received")
	f.temporal.answer = func(context.Context) error { return errors.New("unavailable") }
	requireAnswer(t, f.post(t, "j", success("u")), 503, "try again")
	assert.Empty(t, f.collector.recorded())
}

// The doctor's callbacks name no task.
func TestProbesAreNotCollected(t *testing.T) {
	f := newFixture(t)
	f.over()
	for _, id := range []string{callback.ProbeID(), callback.EscapedProbeID()} {
		requireAnswer(t, f.post(t, id, success("t")), 200, "received")
	}
	assert.Empty(t, f.collector.recorded())
}

// Signal and collection share the answer time.
func TestCollectionTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.temporal.answer = func(context.Context) error {
			time.Sleep(4 * time.Second)
			return serviceerror.NewNotFound("workflow execution already completed")
		}
		f.collector.collect = func(ctx context.Context) (runs.Outcome, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		start := time.Now()
		requireAnswer(t, f.post(t, "j", success("t")), 503, "try again")
		assert.Equal(t, 10*time.Second, time.Since(start))

		f.collector.collect = nil
		requireAnswer(t, f.post(t, "j", success("t")), 200, "received")
		assert.Len(t, f.collector.recorded(), 2, "a collection that timed out does not count")
	})
}

// A flood of made-up task ids on the leaked URL of a job that is over starts a
// bounded number of collecting jobs.
func TestCollectionsPerJobAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.over()
		f.collector.collect = func(context.Context) (runs.Outcome, error) { return runs.Collecting, nil }
		var accepted int
		for n := range 1000 {
			response := f.post(t, "j", success(fmt.Sprintf("made-up-%d", n)))
			if response.StatusCode == http.StatusOK {
				accepted++
				continue
			}
			requireAnswer(t, response, 503, "try again")
		}
		const bound = 30
		assert.Equal(t, bound, accepted)
		assert.Len(t, f.collector.recorded(), bound)
		for range 10 {
			requireAnswer(t, f.post(t, "j", success("made-up-0")), 200, "received")
		}
		assert.Len(t, f.collector.recorded(), bound, "duplicates start nothing")
		requireAnswer(t, f.post(t, "k", success("t")), 200, "received")
		require.Len(t, f.collector.recorded(), bound+1, "other jobs are not affected")
	})
}
