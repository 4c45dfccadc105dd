package dial

import (
	"log/slog"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/codec"
)

// Guarded returns the codec of a long-running role, whose refusals are counted and
// logged. It logs a warning if the codec refuses less than it could.
func Guarded(settings Settings, logger *slog.Logger, handler client.MetricsHandler) codec.Codec {
	if settings.Codec.AcceptsPlaintext() {
		logger.Warn("payloads that are not encrypted are accepted: remove " + codec.PlaintextVariable + " when no job is open that began without " + codec.Variable)
	}
	return settings.Codec.Observe(Refusals(logger, handler))
}

// Refusals returns a function for codec.Codec.Observe that counts each refused
// payload and logs it with its job. A nil handler counts nothing.
func Refusals(logger *slog.Logger, handler client.MetricsHandler) func(codec.Refusal) {
	if handler == nil {
		handler = client.MetricsNopHandler
	}
	return func(refused codec.Refusal) {
		metrics.PayloadsRefused.Add(handler, 1, string(refused.Reason))
		logger.Warn("payload refused", "reason", string(refused.Reason), "job", refused.WorkflowID, "namespace", refused.Namespace)
	}
}
