package starter

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"

	"lumaflow/internal/oneline"
)

// ErrNoJob means that Temporal knows no job of an id.
var ErrNoJob = errors.New("no such job")

// maxCause bounds, in bytes, what an error repeats of Temporal's words.
const maxCause = 300

// trouble is a request that Temporal did not fulfil: one line for people, with
// the cause for errors.Is and errors.As.
type trouble struct {
	text  string
	cause error
}

func (t *trouble) Error() string { return t.text }
func (t *trouble) Unwrap() error { return t.cause }

// failed says in one line why something could not be done.
func failed(doing string, cause error) error {
	switch {
	case interrupted(cause):
		return &trouble{doing + ": interrupted", cause}
	case unanswered(cause):
		return &trouble{fmt.Sprintf("%s: Temporal does not answer (%s); try again", doing, said(cause)), cause}
	default:
		return &trouble{doing + ": " + said(cause), cause}
	}
}

func noJob(id string) error {
	return &trouble{
		"there is no job " + plain(id) + ": it was never started in this namespace, or Temporal has forgotten it since it ended; `lumaflow list` shows the jobs there are",
		ErrNoJob,
	}
}

func interrupted(err error) bool {
	return errors.Is(err, context.Canceled) || serviceerror.ToStatus(err).Code() == codes.Canceled
}

// unanswered reports whether it is open what became of a request.
func unanswered(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch serviceerror.ToStatus(err).Code() {
	case codes.DeadlineExceeded, codes.Unavailable:
		return true
	default:
		return false
	}
}

// refused reports whether asking again can't help.
func refused(err error) bool {
	return forbidden(err) || serviceerror.ToStatus(err).Code() == codes.InvalidArgument
}

// forbidden reports whether asking anything of the kind can't help.
func forbidden(err error) bool {
	switch serviceerror.ToStatus(err).Code() {
	case codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	default:
		return false
	}
}

func notFound(err error) bool {
	var missing *serviceerror.NotFound
	return errors.As(err, &missing)
}

// said is an error's text, fit for one line.
func said(err error) string {
	return oneline.Truncate(err.Error(), maxCause)
}

func plain(text string) string { return oneline.Clean(text) }
