package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc/codes"

	"lumaflow/internal/oneline"
)

// maxReason bounds the text of a cause in an error, in bytes.
const maxReason = 300

// failure is an error of one line: a message and, in parentheses, the reason.
type failure struct {
	message string
	reason  string
	cause   error
	// unreachable is set if no server answers; a retry may succeed.
	unreachable bool
}

func (f *failure) Error() string {
	if f.reason == "" {
		return f.message
	}
	return f.message + " (" + f.reason + ")"
}

func (f *failure) Unwrap() error { return f.cause }

// explain turns a failed request into an error of one line with the next command.
func (t target) explain(ctx context.Context, cause error) error {
	var missing *serviceerror.NamespaceNotFound
	switch code := serviceerror.ToStatus(cause).Code(); {
	case errors.Is(ctx.Err(), context.Canceled):
		return &failure{cause: ctx.Err(), message: fmt.Sprintf("stopped before Temporal at %s answered", t.settings.Address)}
	case errors.As(cause, &missing):
		return &failure{cause: cause, message: fmt.Sprintf(
			"there is no namespace %q at %s: create it with `temporal operator namespace create -n %s` or set TEMPORAL_NAMESPACE",
			t.settings.Namespace, t.settings.Address, t.settings.Namespace)}
	case code == codes.Unauthenticated, code == codes.PermissionDenied:
		return t.failure(cause, "the credentials are refused at %s for namespace %q: check TEMPORAL_API_KEY or the client certificate",
			t.settings.Address, t.settings.Namespace)
	case code == codes.Unavailable, code == codes.DeadlineExceeded, ctx.Err() != nil:
		next := "check that server, or TEMPORAL_ADDRESS"
		if local(t.settings.Address) {
			next = "start one with `temporal server start-dev --db-filename lumaflow.db` or set TEMPORAL_ADDRESS"
		}
		failed := t.failure(cause, "no Temporal server answers at %s: %s", t.settings.Address, next)
		failed.unreachable = true
		return failed
	default:
		return t.failure(cause, "can't use Temporal at %s, namespace %q", t.settings.Address, t.settings.Namespace)
	}
}

// local reports whether an address is one of this machine.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// failure takes the reason from the cause, without line breaks and the API key.
func (t target) failure(cause error, format string, args ...any) *failure {
	reason := oneline.Clean(cause.Error())
	// gRPC puts its own description around the reason.
	if i := strings.LastIndex(reason, "desc = "); i >= 0 {
		reason = strings.Trim(reason[i+len("desc = "):], `"`)
	}
	if t.apiKey != "" {
		reason = strings.ReplaceAll(reason, t.apiKey, "[redacted]")
	}
	return &failure{message: fmt.Sprintf(format, args...), cause: cause, reason: oneline.Truncate(reason, maxReason)}
}
