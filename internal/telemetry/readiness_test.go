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

// However many ask, a check is asked now and then; a bad answer is doubted
// sooner than a good one.
func TestChecksAreNotOverdone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		var fails atomic.Bool
		readiness := telemetry.NewReadiness()
		readiness.Begin(telemetry.Check{Name: "it", Holds: 30 * time.Second, Ask: func(context.Context) error {
			asked.Add(1)
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
		assert.EqualValues(t, 1, asked.Load())
		fails.Store(true)
		time.Sleep(29 * time.Second)
		assert.True(t, ready())
		assert.EqualValues(t, 1, asked.Load())
		time.Sleep(2 * time.Second)
		assert.False(t, ready())
		assert.EqualValues(t, 2, asked.Load())
		fails.Store(false)
		assert.False(t, ready())
		time.Sleep(2 * time.Second)
		assert.True(t, ready())
		assert.EqualValues(t, 3, asked.Load())
	})
}

// A check that hangs ends after five seconds, and who gives up waiting for it
// does not end it for the others.
func TestChecksAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		readiness := telemetry.NewReadiness()
		readiness.Begin(telemetry.Check{Name: "it", Ask: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		gone, leave := context.WithCancel(t.Context())
		leave()
		began := time.Now()
		ready, lines := readiness.Ready(gone)
		assert.False(t, ready)
		assert.Equal(t, []string{"failed  it: context deadline exceeded"}, lines)
		assert.Equal(t, 5*time.Second, time.Since(began))
	})
}

func TestNoReadinessIsNone(t *testing.T) {
	t.Parallel()
	var none *telemetry.Readiness
	none.Begin()
	none.Drain()
}
