package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Kind says what a failed download asks of its caller.
type Kind int

// The kinds of failure.
const (
	// Transient failures may pass by themselves: try the same link again.
	Transient Kind = iota + 1
	// LinkDead means that the link no longer serves the file: get a new one.
	// The partial file serves the new link too.
	LinkDead
	// Rejected means that what came is not a complete MP4 or MOV. None of it is
	// kept.
	Rejected
	// Forbidden links are never fetched: no https, a private address, a host
	// that is not allowed, too many redirects.
	Forbidden
	// Disk failures are of this machine: no space, no permission.
	Disk
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Transient:
		return "transient"
	case LinkDead:
		return "link dead"
	case Rejected:
		return "rejected"
	case Forbidden:
		return "forbidden"
	case Disk:
		return "disk"
	default:
		return fmt.Sprintf("Kind(%d)", int(k))
	}
}

// Error is a failed download. Neither it nor anything it wraps holds more of a
// link than its host.
type Error struct {
	Kind Kind
	// StatusCode is the HTTP status that decided, 0 if none did.
	StatusCode int
	// Host is the host that was asked, with its port if the link has one.
	Host string
	// RetryAfter is how long the server asked to be left alone, at most
	// ten minutes, 0 if it did not ask.
	RetryAfter time.Duration
	Err        error
}

// Error is one line.
func (e *Error) Error() string {
	var line strings.Builder
	line.WriteString("download")
	if e.Host != "" {
		line.WriteString(" from " + e.Host)
	}
	if e.StatusCode != 0 {
		line.WriteString(strings.TrimRight(fmt.Sprintf(": HTTP %d %s", e.StatusCode, http.StatusText(e.StatusCode)), " "))
	}
	if e.Err != nil {
		line.WriteString(": " + e.Err.Error())
	}
	return line.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of an error of this package. Of other errors, those about
// a disk or its permissions are Disk and the rest Transient; nil has no kind.
func KindOf(err error) Kind {
	var failed *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.Kind
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES} {
		if errors.Is(err, errno) {
			return Disk
		}
	}
	return Transient
}
