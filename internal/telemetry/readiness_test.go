package telemetry_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/telemetry"
)

// Concurrent calls share one probe; a failure is cached for a shorter time than a
// pass.
func TestCheckResultsAreCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var probes atomic.Int32
		var fails atomic.Bool
		readiness := &telemetry.Readiness{}
		readiness.Begin(telemetry.Check{Name: "it", TTL: 30 * time.Second, Probe: func(context.Context) error {
			probes.Add(1)
			if fails.Load() {
				return errors.New("no")
			}
			return nil
		}})
		ready := func() bool {
			var all sync.WaitGroup
			var not atomic.Bool
			for range 50 {
				all.Go(func() {
					if ready, _ := readiness.Ready(t.Context()); !ready {
						not.Store(true)
					}
				})
			}
			all.Wait()
			return !not.Load()
		}
		assert.True(t, ready())
		assert.EqualValues(t, 1, probes.Load())
		fails.Store(true)
		time.Sleep(29 * time.Second)
		assert.True(t, ready())
		assert.EqualValues(t, 1, probes.Load())
		time.Sleep(2 * time.Second)
		assert.False(t, ready())
		assert.EqualValues(t, 2, probes.Load())
		fails.Store(false)
		assert.False(t, ready())
		time.Sleep(2 * time.Second)
		assert.True(t, ready())
		assert.EqualValues(t, 3, probes.Load())
	})
}

// A probe ends after five seconds, also if the context of its caller ends earlier.
func TestProbesAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		readiness := &telemetry.Readiness{}
		readiness.Begin(telemetry.Check{Name: "it", Probe: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		ready, lines := readiness.Ready(cancelled)
		assert.False(t, ready)
		assert.Equal(t, []string{"failed  it: context deadline exceeded"}, lines)
		assert.Equal(t, 5*time.Second, time.Since(began))
	})
}
