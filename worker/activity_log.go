package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
)

// handledErrors are the types of the activity errors that the workflow handles. (The
// retryable ones are benign, which the SDK logs at debug level.)
var handledErrors = []string{
	activities.Held, activities.NotSent, activities.LaterRun, activities.UnprovenTask, activities.SubmitUnknown,
}

// activityLog logs the SDK's errors about activities as warnings if the job goes on.
type activityLog struct{ slog.Handler }

// Handle lowers the level of a record about a handled error.
func (h activityLog) Handle(ctx context.Context, record slog.Record) error {
	if record.Level == slog.LevelError && record.Message == "Activity error." {
		record.Attrs(func(attribute slog.Attr) bool {
			err, _ := attribute.Value.Any().(error)
			if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok && slices.Contains(handledErrors, failed.Type()) {
				record.Level = slog.LevelWarn
			}
			return true
		})
		if !h.Enabled(ctx, record.Level) {
			return nil
		}
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs and WithGroup keep the wrapper of the handler.
func (h activityLog) WithAttrs(attributes []slog.Attr) slog.Handler {
	return activityLog{h.Handler.WithAttrs(attributes)}
}

func (h activityLog) WithGroup(name string) slog.Handler {
	return activityLog{h.Handler.WithGroup(name)}
}
