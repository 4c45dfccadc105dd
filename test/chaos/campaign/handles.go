package campaign

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
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
			open := openFiles(worker.pid(), p.path(diskFolder))
			if len(open) == 0 {
				break
			}
			if pauseFor(ctx, time.Second) != nil {
				p.problem("%s still holds files when no job is open: %s", worker.name, strings.Join(open, ", "))
				break
			}
		}
	}
}

func openFiles(pid int, below string) []string {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, _ := os.ReadDir(folder) // none if the process is between two lives
	var open []string
	for _, entry := range entries {
		if target, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && strings.HasPrefix(target, below+"/") {
			open = append(open, target)
		}
	}
	return open
}
