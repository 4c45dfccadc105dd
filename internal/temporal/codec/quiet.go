package codec

import (
	"context"
	"log/slog"
	"strings"
)

// Quiet is a handler for the log of a client that runs workflows. Of a workflow
// that was stopped, the SDK tells twice: in a line that says which key is missing,
// and before that in one with a stack trace, which is nothing to who has to add a
// key and is left out.
func Quiet(handler slog.Handler) slog.Handler { return quiet{handler} }

type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, record slog.Record) error {
	sealed, traced := false, false
	record.Attrs(func(attribute slog.Attr) bool {
		traced = traced || attribute.Key == "StackTrace"
		sealed = sealed || attribute.Key == "Error" && strings.HasPrefix(attribute.Value.String(), stopped)
		return !sealed || !traced
	})
	if sealed && traced {
		return nil
	}
	return q.Handler.Handle(ctx, record)
}

func (q quiet) WithAttrs(attributes []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attributes)}
}

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
