package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Kind classifies a failed download by the caller's next step.
type Kind int

// The kinds of failure.
const (
	// Transient failures may be temporary: retry the same link.
	Transient Kind = iota + 1
	// LinkDead means that the link no longer serves the file: get a new one. The
	// partial file is resumed with the new link.
	LinkDead
	// Rejected means that the response is no complete video of an accepted format.
	// None of it is kept.
	Rejected
	// Forbidden links are never fetched: not https, an address that is not
	// public, a host that is not allowed, too many redirects.
	Forbidden
	// Disk is a failure of this machine: no space, no permission.
	Disk
)

var kindNames = map[Kind]string{
	Transient: "transient", LinkDead: "link dead", Rejected: "rejected", Forbidden: "forbidden", Disk: "disk",
}

// String names the kind.
func (k Kind) String() string { return cmp.Or(kindNames[k], fmt.Sprintf("Kind(%d)", int(k))) }

// Error is a failed download. Neither it nor anything it wraps holds more of a
// link than its host.
type Error struct {
	Kind Kind
	// StatusCode is the HTTP status of the response that failed, 0 if there was
	// none or its status was not the reason.
	StatusCode int
	// Host is the host of the link, with its port if the link has one.
	Host string
	// RetryAfter is the delay that the server requested, at most ten minutes, 0
	// if it requested none.
	RetryAfter time.Duration
	Err        error
}

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

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error of this package. Other errors are Disk if
// they report a full disk or a missing permission, else Transient; nil has no
// kind, 0.
func KindOf(err error) Kind {
	if err == nil {
		return 0
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Kind
	}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES} {
		if errors.Is(err, errno) {
			return Disk
		}
	}
	return Transient
}
