// Package metricstest provides a metrics handler for tests that keeps the values
// of lumaflow's own metrics.
package metricstest

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"lumaflow/internal/telemetry/metrics"
)

// Recorder is a metrics handler that keeps values. It is safe for concurrent use.
type Recorder struct {
	client.MetricsHandler
	reader *metric.ManualReader
}

// New returns an empty Recorder.
func New() Recorder {
	reader := metric.NewManualReader()
	return Recorder{opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter:                metric.NewMeterProvider(metric.WithReader(reader)).Meter("test"),
		UseMonotonicCounters: true,
	}), reader}
}

// Unwrap returns the handler of Temporal's OpenTelemetry package, whose meter takes
// the observations of histograms.
func (r Recorder) Unwrap() client.MetricsHandler { return r.MetricsHandler }

// Values returns the sums of counters and the last values of gauges. The key is
// the metric's name without lumaflow_ and, after a space each, its label values.
func (r Recorder) Values() map[string]float64 {
	values := map[string]float64{}
	recorded := r.recorded()
	for _, m := range metrics.All() {
		series := func(attributes attribute.Set) string {
			words := []string{strings.TrimPrefix(m.Name, "lumaflow_")}
			for _, label := range m.Labels {
				value, _ := attributes.Value(attribute.Key(label.Name))
				words = append(words, value.AsString())
			}
			return strings.Join(words, " ")
		}
		switch data := recorded[m.Name].(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				values[series(point.Attributes)] += float64(point.Value)
			}
		case metricdata.Gauge[float64]:
			for _, point := range data.DataPoints {
				values[series(point.Attributes)] = point.Value
			}
		}
	}
	return values
}

// Observations returns the number of observations of a histogram or a timer, and
// their sum, for a timer in seconds.
func (r Recorder) Observations(m metrics.Metric) (count uint64, sum float64) {
	switch data := r.recorded()[m.Name].(type) {
	case metricdata.Histogram[int64]:
		for _, point := range data.DataPoints {
			count, sum = count+point.Count, sum+float64(point.Sum)
		}
	case metricdata.Histogram[float64]:
		for _, point := range data.DataPoints {
			count, sum = count+point.Count, sum+point.Sum
		}
	}
	return count, sum
}

// recorded returns the data of all metrics by their names.
func (r Recorder) recorded() map[string]metricdata.Aggregation {
	var collected metricdata.ResourceMetrics
	// Collect fails only for a reader without a provider.
	_ = r.reader.Collect(context.Background(), &collected)
	byName := map[string]metricdata.Aggregation{}
	for _, scope := range collected.ScopeMetrics {
		for _, found := range scope.Metrics {
			byName[found.Name] = found.Data
		}
	}
	return byName
}
