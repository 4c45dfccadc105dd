package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"

	"lumaflow/internal/command"
)

// flushTime is how long the end of a process may wait for the collector to take
// the last spans.
const flushTime = 5 * time.Second

// Traces sends spans to a collector. A nil Traces sends none.
type Traces struct {
	provider *sdktrace.TracerProvider
	client   interceptor.ClientInterceptor
}

// StartTraces begins to trace if OpenTelemetry's standard variables name an OTLP
// endpoint. Without them it returns nil and nothing is loaded, dialled or
// written. An unusable setting is a usage error; a collector that does not
// answer is only logged, now and then.
func StartTraces(ctx context.Context, role string, logger *slog.Logger) (*Traces, error) {
	wanted, err := tracesWanted(os.Getenv)
	if err != nil || !wanted {
		return nil, err
	}
	hear(logger)
	described, err := describe(ctx, role)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, command.Usagef("the OTEL_EXPORTER_OTLP_* settings can't be used: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(described),
		sdktrace.WithIDGenerator(ids{}),
	)
	tracer, err := newTracer(opentelemetry.TracerOptions{
		Tracer:            provider.Tracer("lumaflow"),
		TextMapPropagator: propagation.TraceContext{},
		DisableBaggage:    true,
		// Whoever looks at a job would leave a span each time.
		DisableQueryTracing: true,
		// A header that can't be read must not fail a job.
		AllowInvalidParentSpans: true,
		SpanStarter:             startDiscreet,
	})
	if err != nil {
		return nil, fmt.Errorf("start the traces: %w", err)
	}
	return &Traces{provider: provider, client: interceptor.NewTracingInterceptor(tracer)}, nil
}

// Interceptors is what a Temporal client takes to trace, and with it the workers
// on that client; nil if nothing is traced.
func (t *Traces) Interceptors() []interceptor.ClientInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.ClientInterceptor{t.client}
}

// Close sends off what is left, for five seconds at most.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		heard(err)
	}
}

// tracesWanted reads those of the standard variables that say whether to trace,
// and refuses what would otherwise be passed over in silence.
func tracesWanted(getenv func(string) string) (bool, error) {
	first := func(names ...string) (name, value string) {
		for _, name = range names {
			if value = strings.TrimSpace(getenv(name)); value != "" {
				return name, value
			}
		}
		return name, ""
	}
	exporter := getenv("OTEL_TRACES_EXPORTER")
	variable, endpoint := first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	switch {
	case strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true"), exporter == "none":
		return false, nil
	case exporter != "" && exporter != "otlp":
		return false, command.Usagef("OTEL_TRACES_EXPORTER is %.40q: say otlp or none", exporter)
	case endpoint == "" && exporter == "":
		return false, nil
	}
	if endpoint != "" {
		// The value is not repeated: it may hold a password.
		address, err := url.Parse(endpoint)
		if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
			return false, command.Usagef("%s is no http or https address, like http://localhost:4318", variable)
		}
	}
	variable, protocol := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	if protocol != "" && protocol != "http/protobuf" && protocol != "http/json" {
		return false, command.Usagef("%s is %.40q: traces go out as http/protobuf or http/json; collectors take them at port 4318", variable, protocol)
	}
	return true, nil
}

// describe says who measures and traces. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES overrule it.
func describe(ctx context.Context, role string) (*resource.Resource, error) {
	described, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", role), attribute.String("service.version", command.Version())),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, command.Usagef("OTEL_RESOURCE_ATTRIBUTES can't be used: %w", err)
	}
	return described, nil
}
