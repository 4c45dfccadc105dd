package telemetry

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"lumaflow/internal/telemetry/metrics"
)

// newMetrics returns a recorder for Temporal clients and the handler of /metrics,
// which exposes the metrics of Temporal's SDK, of lumaflow, of the process and of
// the Go runtime.
func newMetrics(ctx context.Context, options Options) (recorder client.MetricsHandler, exposed http.Handler, err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	exporter, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprometheus.WithoutScopeInfo(),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("start the metrics: %w", err)
	}
	attributes, err := resourceOf(ctx, options.Role)
	if err != nil {
		return nil, nil, err
	}
	provider := metric.NewMeterProvider(
		metric.WithReader(exporter),
		metric.WithResource(attributes),
		metric.WithView(view()),
		metric.WithExemplarFilter(exemplar.AlwaysOffFilter),
	)
	recorder = opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                provider.Meter("lumaflow"),
		UseMonotonicCounters: true,
		OnError: func(err error) {
			options.Logger.Warn("metric not recorded", "error", err)
		},
	})
	for _, counter := range options.Counters {
		counter.Begin(recorder)
	}
	return recorder, promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError,
		// One Prometheus scrapes one request at a time.
		MaxRequestsInFlight: 4,
	}), nil
}

var (
	// latencies are the bucket bounds, in seconds, of the SDK's request times.
	latencies = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
	// lifetimes are those of the SDK's times that last as long as a job.
	lifetimes       = []float64{0.1, 1, 5, 15, 60, 300, 600, 1200, 3600, 6 * 3600, 24 * 3600}
	lifetimeMetrics = []string{"temporal_workflow_endtoend_latency", "temporal_activity_succeed_endtoend_latency", "temporal_activity_execution_latency"}
)

// view sets the help text, bounds and labels of all instruments, because
// Temporal's handler sets none. lumaflow's metrics drop the labels that the SDK
// adds to the handler of a workflow or an activity.
func view() metric.View {
	own := map[string]metric.Stream{}
	for _, m := range metrics.All() {
		own[m.Name] = ownStream(m)
	}
	return func(instrument metric.Instrument) (metric.Stream, bool) {
		if stream, ours := own[instrument.Name]; ours {
			return stream, true
		}
		if instrument.Kind != metric.InstrumentKindHistogram {
			return metric.Stream{}, false
		}
		bounds := latencies
		if slices.Contains(lifetimeMetrics, instrument.Name) {
			bounds = lifetimes
		}
		return metric.Stream{
			Name:        instrument.Name,
			Description: instrument.Description,
			Unit:        instrument.Unit,
			Aggregation: metric.AggregationExplicitBucketHistogram{Boundaries: bounds},
		}, true
	}
}

func ownStream(m metrics.Metric) metric.Stream {
	stream := metric.Stream{Name: m.Name, Description: m.Help, AttributeFilter: attribute.NewAllowKeysFilter()}
	if len(m.Labels) > 0 {
		var keys []attribute.Key
		for _, label := range m.Labels {
			keys = append(keys, attribute.Key(label.Name))
		}
		stream.AttributeFilter = attribute.NewAllowKeysFilter(keys...)
	}
	if m.Kind == metrics.HistogramKind {
		stream.Aggregation = metric.AggregationExplicitBucketHistogram{Boundaries: m.Buckets}
	}
	if m.Seconds {
		stream.Unit = "s"
	}
	return stream
}
