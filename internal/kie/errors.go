package kie

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lumaflow/internal/oneline"
)

// Class classifies a failed request by its next step.
type Class int

const (
	// NotSent means that no byte of a submission was handed to the network: it
	// is safe to submit again.
	NotSent Class = iota + 1
	// Held means that kie.ai refused a submission for now and created nothing.
	// The same submission may be accepted after Error.Delay.
	Held
	// Refused means that kie.ai refused for good: a submission created nothing,
	// and the same request will be refused again.
	Refused
	// Unknown means that a submission may or may not have created a paid task:
	// it must not be sent again.
	Unknown
	// Temporary means that a read or an upload got no usable answer and may get
	// one later.
	Temporary
	// NotFound means that kie.ai itself answered that it has no such record or
	// file.
	NotFound
)

var classNames = map[Class]string{
	NotSent:   "nothing was sent",
	Held:      "refused for now",
	Refused:   "refused",
	Unknown:   "the outcome is not known",
	Temporary: "no usable answer",
	NotFound:  "not found",
}

// String returns words that fit after "submit: ".
func (c Class) String() string { return cmp.Or(classNames[c], "class "+strconv.Itoa(int(c))) }

// Error is the error of every method of Client. It holds no secret: provider text
// is redacted, truncated and on one line.
type Error struct {
	// Op is the request: submit, record-info, download-url, credit, clock or
	// upload.
	Op string
	// TaskID is the task of a read. In an Unknown submission it is the only task id
	// of an answer that was no clear acceptance.
	TaskID string
	Class  Class
	// Code is the code in the body, or else the HTTP status; zero without an
	// answer.
	Code int
	// HTTPStatus is zero without an answer.
	HTTPStatus int
	// Message is kie.ai's text, possibly in Chinese.
	Message string
	// RetryAfter is the delay of the Retry-After header, at most 15 minutes; zero
	// without the header.
	RetryAfter time.Duration
	// Err is a cause beside kie.ai's answer.
	Err error
}

func (e *Error) Error() string {
	var line strings.Builder
	line.WriteString(e.Op)
	if e.TaskID != "" {
		line.WriteString(" of task " + oneline.Truncate(e.TaskID, maxTaskID))
	}
	line.WriteString(": " + e.Class.String())
	switch {
	case e.Code == 0:
	case e.Code == e.HTTPStatus && e.Err != nil:
		fmt.Fprintf(&line, ", HTTP %d", e.HTTPStatus)
	case e.HTTPStatus >= 300 && e.Code != e.HTTPStatus:
		fmt.Fprintf(&line, ", HTTP %d with code %d (%s)", e.HTTPStatus, e.Code, Reason(e.Code))
	default:
		fmt.Fprintf(&line, ", code %d (%s)", e.Code, Reason(e.Code))
	}
	if e.Err != nil {
		line.WriteString(": " + oneline.Truncate(redact(e.Err.Error()), maxMessage))
	}
	if e.Message != "" {
		line.WriteString(": " + e.Message)
	}
	return line.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Delay is the wait before the same request may be repeated: the delay of the
// Retry-After header, or else the one in the table of codes. Zero leaves the
// delay to the caller.
func (e *Error) Delay() time.Duration {
	if e.RetryAfter > 0 {
		return e.RetryAfter
	}
	if e.Class == Held || e.Class == Temporary {
		return meaningOf(e.Code).delay
	}
	return 0
}

// ClassOf returns the class of an error. An error that is not an *Error is
// Unknown, the class that permits the least. ClassOf(nil) is zero.
func ClassOf(err error) Class {
	if err == nil {
		return 0
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Class
	}
	return Unknown
}

// withoutURL strips the *url.Error that net/http wraps around its errors: its text
// repeats the URL.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
