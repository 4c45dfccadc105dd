// Package telemetry is how a running role shows itself: metrics for Prometheus,
// whether it is alive and ready, and traces over OTLP. Metrics and health share
// a port of their own, METRICS_LISTEN; traces follow OpenTelemetry's standard
// variables. Each is off, and costs nothing, until it is asked for.
package telemetry

import (
	"context"
	"log/slog"
	"net"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"

	"lumaflow/internal/command"
	"lumaflow/internal/telemetry/metrics"
)

// Flags are the settings of a role's own port.
type Flags struct {
	MetricsListen string `env:"METRICS_LISTEN" placeholder:"HOST:PORT" help:"Where to serve /metrics, /healthz and /readyz. Empty: nowhere."`
}

// Options are what a role says about itself.
type Options struct {
	Flags
	// Role is the name of the service in metrics and traces, as in
	// lumaflow-worker; OTEL_SERVICE_NAME overrules it.
	Role string
	// Counters are those that the role counts. They show from the start.
	Counters []metrics.Counter
	Logger   *slog.Logger
}

// Telemetry is what a role shows while it runs.
type Telemetry struct {
	// Readiness is what /readyz answers with. It is there with and without a port,
	// and starts as not ready.
	Readiness *Readiness

	meters *meters
	traces *Traces
	server *server
}

// Start takes the port before anything else, serves it at once, so that a slow
// start shows as alive and not ready, and makes the connection to the trace
// collector ready. Its errors are one plain line. The caller closes it last.
func Start(ctx context.Context, options Options) (*Telemetry, error) {
	t := &Telemetry{Readiness: NewReadiness()}
	var err error
	var listener net.Listener
	if options.MetricsListen != "" {
		if listener, err = command.Listen(ctx, "METRICS_LISTEN", options.MetricsListen); err != nil {
			return nil, err
		}
	}
	if t.traces, err = StartTraces(ctx, options.Role, options.Logger); err != nil {
		if listener != nil {
			listener.Close()
		}
		return nil, err
	}
	if listener == nil {
		return t, nil
	}
	if t.meters, err = newMeters(ctx, options); err != nil {
		listener.Close()
		t.traces.Close()
		return nil, err
	}
	t.server = serve(listener, t.meters.handler(), t.Readiness, options.Logger)
	return t, nil
}

// Metrics is what a Temporal client takes to measure. It does nothing without a
// port.
func (t *Telemetry) Metrics() client.MetricsHandler {
	if t.meters == nil {
		return client.MetricsNopHandler
	}
	return t.meters.temporal
}

// Measures says whether anybody can see the metrics.
func (t *Telemetry) Measures() bool { return t.meters != nil }

// Interceptors is what a Temporal client takes to trace, nil if nothing is.
func (t *Telemetry) Interceptors() []interceptor.ClientInterceptor { return t.traces.Interceptors() }

// Close serves nothing any more and sends the last spans off, for a few seconds
// at most.
func (t *Telemetry) Close() {
	t.server.close()
	t.meters.close()
	t.traces.Close()
}
