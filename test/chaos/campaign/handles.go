package campaign

import (
	"context"
	"runtime"
	"strings"
	"time"

	"lumaflow/test/supervisor"
)

// judgeHandles waits for the workers to have closed every file of a job. What
// an attempt that was given up still holds is gone when it learns of that.
func (p *playing) judgeHandles(ctx context.Context) {
	if runtime.GOOS != "linux" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, worker := range p.workers {
		for {
			open := supervisor.OpenFiles(worker.PID(), p.path(diskFolder))
			if len(open) == 0 {
				break
			}
			if pauseFor(ctx, time.Second) != nil {
				p.problem("%s still holds files when no job is open: %s", worker.Name(), strings.Join(open, ", "))
				break
			}
		}
	}
}
