// Package lean keeps a process that mostly waits small.
package lean

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// gcPercent is how much garbage may gather, in percent of what is in use, unless
	// GOGC says otherwise. A callback, a poll or a download leaves little, so this
	// costs next to nothing.
	gcPercent = 50
	// interval is how often memory is given back, which takes some milliseconds.
	// What is in use is mapped again within the next request.
	interval = 15 * time.Second
)

// Stay keeps the process small until ctx ends or stop is called: it gives back
// the garbage of the start, and of the last burst of work, and the pages of the
// program that it has no use for, again and again, and lets less garbage gather.
func Stay(ctx context.Context) (stop func()) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	giveBack()
	ctx, cancel := context.WithCancel(ctx)
	var giving sync.WaitGroup
	giving.Go(func() {
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				giveBack()
			}
		}
	})
	return func() { cancel(); giving.Wait() }
}

func giveBack() {
	debug.FreeOSMemory()
	dropProgram()
}
