package bucket

import (
	"errors"
	"io"

	"lumaflow/internal/stall"
)

var (
	errStalled  = errors.New("the transfer stalled for minutes and was canceled")
	errNoAnswer = errors.New("no answer within the timeout")
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
