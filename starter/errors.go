package starter

import (
	"context"
	"errors"
	"fmt"

	"lumaflow/internal/oneline"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
)

// ErrNoJob means that Temporal has no job with an id.
var ErrNoJob = errors.New("no such job")

// maxErrorText bounds, in bytes, the text of another error in a message.
const maxErrorText = 300

// requestError is a request that failed: a message of one line for people, and
// the cause for errors.Is and errors.As.
type requestError struct {
	message string
	cause   error
}

func (e *requestError) Error() string { return e.message }
func (e *requestError) Unwrap() error { return e.cause }

// failed describes the failure of an action in one line.
func failed(action string, cause error) error {
	switch {
	case interrupted(cause):
		return &requestError{action + ": interrupted", cause}
	case unanswered(cause):
		return &requestError{fmt.Sprintf("%s: Temporal does not answer (%s); try again", action, errorText(cause)), cause}
	default:
		return &requestError{action + ": " + errorText(cause), cause}
	}
}

func noJob(id string) error {
	return &requestError{
		"there is no job " + oneline.Clean(id) + ": it was never started in this namespace, or its retention time is over; `lumaflow list` shows the existing jobs",
		ErrNoJob,
	}
}

func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || serviceerror.ToStatus(err).Code() == codes.Canceled
}

// unanswered reports whether the outcome of a request is unknown.
func unanswered(err error) bool {
	code := serviceerror.ToStatus(err).Code()
	return errors.Is(err, context.DeadlineExceeded) || code == codes.DeadlineExceeded || code == codes.Unavailable
}

// rejected reports whether a repetition of the request fails in the same way.
func rejected(err error) bool {
	return forbidden(err) || serviceerror.ToStatus(err).Code() == codes.InvalidArgument
}

// forbidden reports whether every request of the kind fails in the same way.
func forbidden(err error) bool {
	code := serviceerror.ToStatus(err).Code()
	return code == codes.PermissionDenied || code == codes.Unauthenticated || code == codes.Unimplemented
}

// is reports whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	_, found := errors.AsType[E](err)
	return found
}

// errorText is the text of an error in one line.
func errorText(err error) string {
	return oneline.Truncate(err.Error(), maxErrorText)
}
