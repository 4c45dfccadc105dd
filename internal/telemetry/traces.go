package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"

	"lumaflow/internal/command"
)

// flushTimeout bounds the export of the last spans when a process ends.
const flushTimeout = 5 * time.Second

// Traces exports spans to a collector. A nil Traces exports none.
type Traces struct {
	provider *sdktrace.TracerProvider
	client   interceptor.ClientInterceptor
}

// StartTraces starts tracing if OpenTelemetry's standard variables name an OTLP
// endpoint or exporter; otherwise it returns nil. An unusable setting is a usage
// error; an unreachable collector is logged at most once a minute.
func StartTraces(ctx context.Context, role string, logger *slog.Logger) (*Traces, error) {
	enabled, err := tracesEnabled(os.Getenv)
	if err != nil || !enabled {
		return nil, err
	}
	logOpenTelemetry(logger)
	attributes, err := resourceOf(ctx, role)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, command.Usagef("the OTEL_EXPORTER_OTLP_* settings can't be used: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(attributes),
		sdktrace.WithIDGenerator(idGenerator{}),
	)
	tracer, err := newTracer(opentelemetry.TracerOptions{
		Tracer:            provider.Tracer("lumaflow"),
		TextMapPropagator: propagation.TraceContext{},
		DisableBaggage:    true,
		// Each status query of each user would add a span.
		DisableQueryTracing: true,
		// A malformed trace header must not fail a job.
		AllowInvalidParentSpans: true,
		SpanStarter:             startRedacted,
	})
	if err != nil {
		return nil, fmt.Errorf("start the traces: %w", err)
	}
	return &Traces{provider: provider, client: interceptor.NewTracingInterceptor(tracer)}, nil
}

// Interceptors returns the interceptors of a Temporal client, which its workers
// inherit; nil without tracing.
func (t *Traces) Interceptors() []interceptor.ClientInterceptor {
	if t == nil {
		return nil
	}
	return []interceptor.ClientInterceptor{t.client}
}

// Close exports the remaining spans, for five seconds at most.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		otel.Handle(err)
	}
}

// tracesEnabled evaluates the standard variables that turn tracing on and rejects
// values that OpenTelemetry would ignore silently.
func tracesEnabled(getenv func(string) string) (bool, error) {
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
		return false, command.Usagef("OTEL_TRACES_EXPORTER is %.40q: set otlp or none", exporter)
	case endpoint == "" && exporter == "":
		return false, nil
	}
	if endpoint != "" {
		// The value may hold a password, so the error does not quote it.
		address, err := url.Parse(endpoint)
		if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
			return false, command.Usagef("%s is not an http or https URL, like http://localhost:4318", variable)
		}
	}
	variable, protocol := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	if protocol != "" && protocol != "http/protobuf" && protocol != "http/json" {
		return false, command.Usagef("%s is %.40q: set http/protobuf or http/json; collectors accept them at port 4318", variable, protocol)
	}
	return true, nil
}

// resourceOf returns the resource attributes of metrics and traces.
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES override them.
func resourceOf(ctx context.Context, role string) (*resource.Resource, error) {
	attributes, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", role), attribute.String("service.version", command.Version())),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, command.Usagef("OTEL_RESOURCE_ATTRIBUTES can't be used: %w", err)
	}
	return attributes, nil
}
