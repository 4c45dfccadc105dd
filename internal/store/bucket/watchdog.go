package bucket

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	errStalled  = errors.New("the transfer stalled for minutes and was canceled")
	errNoAnswer = errors.New("no answer within the timeout")
)

// watchdog cancels a stalled transfer.
type watchdog struct {
	timer  *time.Timer
	stall  time.Duration
	cancel context.CancelCauseFunc
}

// watch starts a watchdog. The context ends with errStalled after stall without
// progress, also before the first and after the last byte.
func watch(ctx context.Context, stall time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watchdog{time.AfterFunc(stall, func() { cancel(errStalled) }), stall, cancel}
}

// progress restarts the timer, pause stops it until the next progress.
func (w *watchdog) progress() { w.timer.Reset(w.stall) }
func (w *watchdog) pause()    { w.timer.Stop() }

func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// reader returns a reader each Read of which is progress.
func (w *watchdog) reader(from io.ReadSeeker) io.ReadSeeker { return watchedReader{from, w} }

type watchedReader struct {
	io.ReadSeeker
	watchdog *watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	r.watchdog.progress()
	return r.ReadSeeker.Read(p)
}
