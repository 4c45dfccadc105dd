package kie

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lumaflow/internal/oneline"
)

// Class says what is known after a request has failed.
type Class int

const (
	// NotSent means that no byte of a submission was handed to the network. It
	// is safe to send it again.
	NotSent Class = iota + 1
	// Held means that kie.ai refused a submission for now and created nothing.
	// The same submission may be accepted after Error.Delay.
	Held
	// Refused means that kie.ai refused for good: a submission created nothing,
	// and asking the same again will not help.
	Refused
	// Unknown means that a submission may or may not have created a paid task.
	// It must not be sent again.
	Unknown
	// Temporary means that a read or an upload got no usable answer and may get
	// one later.
	Temporary
	// NotFound means that kie.ai answered a read by saying that it has no such
	// record or file.
	NotFound
)

// String says it in words that fit after "submit: ".
func (c Class) String() string {
	switch c {
	case NotSent:
		return "nothing was sent"
	case Held:
		return "refused for now"
	case Refused:
		return "refused"
	case Unknown:
		return "the outcome is not known"
	case Temporary:
		return "no usable answer"
	case NotFound:
		return "not found"
	default:
		return "class " + strconv.Itoa(int(c))
	}
}

// Error is how every method of Client fails. It holds no secret: provider text
// is cut, put on one line and redacted.
type Error struct {
	// Op is the request: submit, record-info, download-url, credit, clock or
	// upload.
	Op string
	// TaskID is the task that was asked about. In an Unknown submission it is
	// the id that an answer named which was no clear acceptance.
	TaskID string
	Class  Class
	// Code is the code in the body, or else the HTTP status. Zero means that
	// there was no answer.
	Code int
	// HTTPStatus is zero if there was no answer.
	HTTPStatus int
	// Message is what kie.ai said, possibly in Chinese.
	Message string
	// RetryAfter is what the header of that name asked for, at most 15
	// minutes; zero means nothing.
	RetryAfter time.Duration
	// Err is the cause if it is not kie.ai's answer as such.
	Err error
}

// Error returns one plain line.
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
		line.WriteString(", HTTP " + strconv.Itoa(e.HTTPStatus))
	case e.HTTPStatus >= 300 && e.Code != e.HTTPStatus:
		line.WriteString(", HTTP " + strconv.Itoa(e.HTTPStatus) + " with code " + strconv.Itoa(e.Code) + " (" + Reason(e.Code) + ")")
	default:
		line.WriteString(", code " + strconv.Itoa(e.Code) + " (" + Reason(e.Code) + ")")
	}
	if e.Err != nil {
		line.WriteString(": " + oneline.Truncate(redact(e.Err.Error()), maxMessage))
	}
	if e.Message != "" {
		line.WriteString(": " + e.Message)
	}
	return line.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Delay is how long to wait before the same request is made again: what kie.ai
// asked for, or else the time that fits the code. Zero leaves it to the caller.
func (e *Error) Delay() time.Duration {
	if e.RetryAfter > 0 {
		return e.RetryAfter
	}
	if e.Class == Held || e.Class == Temporary {
		return verdictOn(e.Code).delay
	}
	return 0
}

// ClassOf returns the class of an error. One that is not an *Error is Unknown,
// the class that forbids the most; no error has no class.
func ClassOf(err error) Class {
	var failed *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.Class
	default:
		return Unknown
	}
}

// cause strips the *url.Error that net/http puts around every failure: it
// repeats the URL.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
