package webhook

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// leanGC is how much garbage may gather, in percent of what is in use, unless
	// GOGC says otherwise. A callback leaves little, so this costs next to nothing.
	leanGC = 50
	// leanEvery is how often pages are given back. What is in use is mapped again
	// within the first callback.
	leanEvery = time.Minute
)

// stayLean keeps a webhook small until ctx ends or stop is called: it gives back
// the garbage of the start and the pages of the program that it has no use for,
// these again and again, and lets less garbage gather.
func stayLean(ctx context.Context) (stop func()) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(leanGC)
	}
	debug.FreeOSMemory()
	dropProgram()
	ctx, cancel := context.WithCancel(ctx)
	var dropping sync.WaitGroup
	dropping.Go(func() {
		ticks := time.NewTicker(leanEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				dropProgram()
			}
		}
	})
	return func() { cancel(); dropping.Wait() }
}
