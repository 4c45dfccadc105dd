package census

import (
	"context"
	"strings"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
)

// Pollers finds workers that poll the task queue. pollers.Queue is one.
type Pollers interface {
	Any(ctx context.Context, match func(*taskqueuepb.PollerInfo) bool) (bool, error)
}

// exporterSuffix marks the identity of a worker that exports metrics.
const exporterSuffix = "metrics"

// Identity returns the identity under which a worker has to poll, so that the
// census of another worker gives precedence to a worker that exports metrics.
func Identity(identity string, exportsMetrics bool) string {
	if exportsMetrics {
		return identity + exporterSuffix
	}
	return identity
}

// hasTurn reports whether this worker counts: of the workers that poll the task
// queue, the first one does. A worker that has stopped remains among the pollers
// for 90 seconds. If Temporal does not list the pollers, this worker counts: two
// counts do less harm than none.
func (c *Census) hasTurn(ctx context.Context) bool {
	preceded, err := c.options.Pollers.Any(ctx, func(poller *taskqueuepb.PollerInfo) bool {
		return precedes(poller.GetIdentity(), c.options.Identity)
	})
	return err != nil || !preceded
}

// precedes orders workers: those that export metrics first, then by identity.
func precedes(a, b string) bool {
	if exportsA, exportsB := strings.HasSuffix(a, exporterSuffix), strings.HasSuffix(b, exporterSuffix); exportsA != exportsB {
		return exportsA
	}
	return a < b
}
