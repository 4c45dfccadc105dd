package census_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/workflows"
)

// Of the workers that poll the task queue one counts: the first by identity among
// those that export metrics. The fixture is 5@host@metrics.
func TestOneWorkerCounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		identities []string
		err        error
		counts     bool
	}{
		"no poller is listed yet":               {nil, nil, true},
		"alone":                                 {[]string{"5@host@metrics"}, nil, true},
		"first":                                 {[]string{"7@host@metrics", "5@host@metrics", "6@host@metrics"}, nil, true},
		"preceded":                              {[]string{"5@host@metrics", "4@host@metrics"}, nil, false},
		"preceded by a worker without metrics":  {[]string{"5@host@metrics", "4@host@"}, nil, true},
		"the pollers can't be listed":           {nil, errors.New("permission denied"), true},
		"preceded, then the listing is cut off": {[]string{"4@host@metrics"}, errors.New("timeout"), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(job{time.Hour, workflows.StageWaiting})
				f.polling.identities, f.polling.err = test.identities, test.err
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				f.Run(ctx)
				require.Equal(t, test.counts, f.jobs.listed > 10, "%d counts", f.jobs.listed)
			})
		})
	}
}

// A worker counts when it starts, and its gauges are NaN two minutes after it has
// lost the turn.
func TestGaugesWithoutTheTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(job{time.Hour, workflows.StageWaiting})
		f.polling.set("4@host@metrics")
		start := time.Now()
		f.clock = func() time.Time { return f.now.Add(time.Since(start)) }
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.Run(ctx)
		}()
		synctest.Wait()
		f.assertGauges(t, map[string]float64{
			"jobs waiting":     1,
			"census_timestamp": float64(now.Unix()),
		})

		time.Sleep(90 * time.Second)
		synctest.Wait()
		// The next worker has not counted yet.
		f.assertGauges(t, map[string]float64{"jobs waiting": 1})
		time.Sleep(90 * time.Second)
		synctest.Wait()
		for series, value := range f.recorder.Values() {
			assert.Equal(t, series != "census_timestamp", math.IsNaN(value), "%s is %v", series, value)
		}
		assert.Equal(t, 1, f.jobs.listed)

		f.polling.set()
		time.Sleep(time.Minute)
		synctest.Wait()
		f.assertGauges(t, map[string]float64{
			"jobs waiting":  1,
			"media_at_risk": 0,
		})
		cancel()
		<-ended
	})
}
