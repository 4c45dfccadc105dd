package dial

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"
)

// maxCause bounds, in bytes, what an error repeats of the other side's words.
const maxCause = 300

// failure is a message of ours and the cause of it, in one line.
type failure struct {
	message string
	cause   error
	said    string
	// away says that no server answers, which may be over soon.
	away bool
}

func (f *failure) Error() string {
	if f.said == "" {
		return f.message
	}
	return f.message + " (" + f.said + ")"
}

func (f *failure) Unwrap() error { return f.cause }

// explain says in one line why Temporal can't be used and what to do next.
func (t target) explain(ctx context.Context, cause error) error {
	var missing *serviceerror.NamespaceNotFound
	switch code := serviceerror.ToStatus(cause).Code(); {
	case errors.Is(ctx.Err(), context.Canceled):
		return &failure{cause: ctx.Err(), message: fmt.Sprintf("stopped before Temporal at %s answered", t.Address)}
	case errors.As(cause, &missing):
		return &failure{cause: cause, message: fmt.Sprintf(
			"there is no namespace %q at %s: create it with `temporal operator namespace create -n %s` or set TEMPORAL_NAMESPACE",
			t.Namespace, t.Address, t.Namespace)}
	case code == codes.Unauthenticated, code == codes.PermissionDenied:
		return t.because(cause, "the credentials are refused at %s for namespace %q: check TEMPORAL_API_KEY or the client certificate",
			t.Address, t.Namespace)
	case code == codes.Unavailable, code == codes.DeadlineExceeded, ctx.Err() != nil:
		failed := t.because(cause, "no Temporal server answers at %s: start one with `temporal server start-dev` or set TEMPORAL_ADDRESS",
			t.Address)
		failed.away = true
		return failed
	default:
		return t.because(cause, "can't use Temporal at %s, namespace %q", t.Address, t.Namespace)
	}
}

// because adds the cause to a message, without line breaks and without the API
// key.
func (t target) because(cause error, format string, args ...any) *failure {
	said := strings.Join(strings.Fields(cause.Error()), " ")
	// gRPC wraps the reason in a description of itself.
	if i := strings.LastIndex(said, "desc = "); i >= 0 {
		said = strings.Trim(said[i+len("desc = "):], `"`)
	}
	if t.apiKey != "" {
		said = strings.ReplaceAll(said, t.apiKey, "[redacted]")
	}
	if len(said) > maxCause {
		said = strings.ToValidUTF8(said[:maxCause], "") + "…"
	}
	return &failure{message: fmt.Sprintf(format, args...), cause: cause, said: said}
}
