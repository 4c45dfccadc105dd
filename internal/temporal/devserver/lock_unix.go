//go:build unix

package devserver

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lock takes the lock file at path. While another process holds it, waiting is
// called every now and then. The lock ends with its process, however that dies.
// On a file system that knows no locks there is none.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	// flock can wait, but not for a context as well.
	retry := time.NewTicker(200 * time.Millisecond)
	defer retry.Stop()
	var said time.Time
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return func() { file.Close() }, nil
		}
		if time.Since(said) >= signOfLife {
			waiting()
			said = time.Now()
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, context.Cause(ctx)
		case <-retry.C:
		}
	}
}
