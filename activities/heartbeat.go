package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
)

const (
	// quietInterval is the heartbeat period during work without progress,
	// quietLimit the time after which such work is taken for stuck: without
	// heartbeats the attempt times out.
	quietInterval = 10 * time.Second
	quietLimit    = 30 * time.Minute
)

// withHeartbeat returns the result of work. While work runs, it records details
// as the heartbeat, so that the attempt does not time out.
func withHeartbeat[T any](ctx context.Context, details any, work func(context.Context) (T, error)) (T, error) {
	return withTicker(quietInterval, func() { activity.RecordHeartbeat(ctx, details) }, func() (T, error) { return work(ctx) })
}

// withTicker returns the result of work. While work runs, it calls tick at each
// interval until quietLimit. No tick runs after it has returned.
func withTicker[T any](interval time.Duration, tick func(), work func() (T, error)) (T, error) {
	done := make(chan struct{})
	var ticks sync.WaitGroup
	ticks.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for end := time.Now().Add(quietLimit); time.Now().Before(end); {
			select {
			case <-ticker.C:
				tick()
			case <-done:
				return
			}
		}
	})
	defer func() {
		close(done)
		ticks.Wait()
	}()
	return work()
}
