package worker

import (
	"context"
	"log/slog"

	"go.temporal.io/sdk/client"
)

// LogVersionStatus is exported for its test.
var LogVersionStatus = logVersionStatus

// SearchAttributes returns the function that reports the search attributes of a
// namespace.
func SearchAttributes(c client.Client, namespace string, logger *slog.Logger) func(context.Context) bool {
	return newAttributeProbe(c, namespace, logger).available
}

// NewActivityLog returns the handler of the SDK's log.
func NewActivityLog(handler slog.Handler) slog.Handler { return activityLog{handler} }
