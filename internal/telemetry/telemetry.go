// Package telemetry exposes a running role: metrics for Prometheus, liveness and
// readiness on the port METRICS_LISTEN, and traces over OTLP with OpenTelemetry's
// standard variables. Both are off by default.
package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"

	"lumaflow/internal/command"
	"lumaflow/internal/telemetry/metrics"
)

// Flags are the settings of the metrics port.
type Flags struct {
	MetricsListen string `env:"METRICS_LISTEN" placeholder:"HOST:PORT" help:"Serve /metrics, /healthz and /readyz on this address. Empty: off."`
}

// Options describe a role.
type Options struct {
	Flags
	// Role is the service name in metrics and traces, like lumaflow-worker;
	// OTEL_SERVICE_NAME overrides it.
	Role string
	// Counters are the role's counters, exposed at zero from the start.
	Counters []metrics.Counter
	Logger   *slog.Logger
}

// Telemetry is the telemetry of a running role.
type Telemetry struct {
	// Readiness is the answer of /readyz, not ready at first.
	Readiness Readiness

	traces *Traces
	// metrics and stop are nil without a port.
	metrics client.MetricsHandler
	stop    func()
}

// Start listens on the port before anything else and serves it at once, so a slow
// start is alive and not ready, and starts tracing. Errors are one line. The caller
// closes the Telemetry last.
func Start(ctx context.Context, options Options) (*Telemetry, error) {
	t := &Telemetry{}
	var err error
	var listener net.Listener
	if options.MetricsListen != "" {
		if listener, err = command.Listen(ctx, "METRICS_LISTEN", options.MetricsListen); err != nil {
			return nil, err
		}
	}
	if t.traces, err = StartTraces(ctx, options.Role, options.Logger); err != nil {
		if listener != nil {
			_ = listener.Close()
		}
		return nil, err
	}
	if listener == nil {
		return t, nil
	}
	var exposed http.Handler
	if t.metrics, exposed, err = newMetrics(ctx, options); err != nil {
		_ = listener.Close()
		t.traces.Close() //nolint:contextcheck // Close has a deadline of its own, because ctx may have ended.
		return nil, err
	}
	t.stop = serve(listener, exposed, &t.Readiness, options.Logger) //nolint:contextcheck // The server ends with Close, after ctx.
	return t, nil
}

// Metrics returns the metrics handler for a Temporal client, a no-op without a
// port.
func (t *Telemetry) Metrics() client.MetricsHandler {
	if t.metrics == nil {
		return client.MetricsNopHandler
	}
	return t.metrics
}

// Measures reports whether metrics are exposed.
func (t *Telemetry) Measures() bool { return t.metrics != nil }

// Interceptors returns the interceptors for a Temporal client, nil without tracing.
func (t *Telemetry) Interceptors() []interceptor.ClientInterceptor { return t.traces.Interceptors() }

// Close stops the server and exports the remaining spans, for five seconds at most.
func (t *Telemetry) Close() {
	if t.stop != nil {
		t.stop()
	}
	t.traces.Close()
}
