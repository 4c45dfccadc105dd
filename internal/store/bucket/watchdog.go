package bucket

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	errStalled  = errors.New("the transfer stood still for minutes, so it was given up")
	errNoAnswer = errors.New("no answer came in time")
)

// mover cancels a transfer that stands still.
type mover struct {
	timer  *time.Timer
	stall  time.Duration
	cancel context.CancelCauseFunc
}

// watch begins a transfer. Its context ends with errStalled if nothing moves for
// stall, also before the first and after the last byte.
func watch(ctx context.Context, stall time.Duration) (context.Context, *mover) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &mover{time.AfterFunc(stall, func() { cancel(errStalled) }), stall, cancel}
}

// moved starts the wait anew, rest ends it until something has moved again.
func (m *mover) moved() { m.timer.Reset(m.stall) }
func (m *mover) rest()  { m.timer.Stop() }

func (m *mover) end() {
	m.timer.Stop()
	m.cancel(nil)
}

// reader is what a transfer sends.
func (m *mover) reader(from io.ReadSeeker) io.ReadSeeker { return movingReader{from, m} }

type movingReader struct {
	io.ReadSeeker
	moving *mover
}

func (r movingReader) Read(p []byte) (int, error) {
	r.moving.moved()
	return r.ReadSeeker.Read(p)
}
