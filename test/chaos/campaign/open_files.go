package campaign

import (
	"context"
	"runtime"
	"strings"
	"time"

	"lumaflow/test/supervisor"
)

// verifyNoOpenFiles waits until the workers have closed every file of a job. An
// attempt that was given up closes its files when it is cancelled.
func (r *seedRun) verifyNoOpenFiles(ctx context.Context) {
	if runtime.GOOS != "linux" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, worker := range r.w.workers {
		for {
			open := supervisor.OpenFiles(worker.PID(), r.w.path(diskFolder))
			if len(open) == 0 {
				break
			}
			if sleep(ctx, time.Second) != nil {
				r.problem("%s has open files without an open job: %s", worker.Name(), strings.Join(open, ", "))
				break
			}
		}
	}
}
