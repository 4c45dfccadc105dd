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
	done := make(chan struct{})
	var heartbeats sync.WaitGroup
	heartbeats.Go(func() {
		ticker := time.NewTicker(quietInterval)
		defer ticker.Stop()
		for end := time.Now().Add(quietLimit); time.Now().Before(end); {
			select {
			case <-ticker.C:
				activity.RecordHeartbeat(ctx, details)
			case <-done:
				return
			}
		}
	})
	defer func() {
		close(done)
		heartbeats.Wait()
	}()
	return work(ctx)
}
