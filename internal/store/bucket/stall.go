package bucket

import (
	"errors"
	"io"

	"lumaflow/internal/stall"
)

var (
	errStalled  = errors.New("the transfer stood still for minutes, so it was given up")
	errNoAnswer = errors.New("no answer came in time")
)

// watchedReader reports each read of an upload to a watchdog.
type watchedReader struct {
	io.ReadSeeker
	watchdog *stall.Watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	r.watchdog.Progress()
	return r.ReadSeeker.Read(p)
}
