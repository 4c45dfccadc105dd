// Package metrics declares lumaflow's own metrics, each with its meaning and all
// values of its one label. Values are recorded through the metrics handler of
// Temporal's SDK, which records nothing during replay and, without METRICS_LISTEN,
// nothing at all.
package metrics

import (
	"context"
	"math"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// Kind is the Prometheus type of a metric.
type Kind string

// The kinds of metrics.
const (
	CounterKind   Kind = "counter"
	HistogramKind Kind = "histogram"
	GaugeKind     Kind = "gauge"
)

// Metric describes a metric.
type Metric struct {
	// Name is the name of the instrument; Exposed is the name in Prometheus.
	Name string
	Kind Kind
	// Help is the meaning, in whole sentences.
	Help string
	// Label is the only label and Values all its values; both are empty for a
	// metric without a label.
	Label  string
	Values []string
	// Seconds marks a time in seconds.
	Seconds bool
	// Buckets are the upper bounds of a histogram.
	Buckets []float64
}

// Exposed returns the name in Prometheus.
func (m Metric) Exposed() string {
	name := m.Name
	if m.Seconds {
		name += "_seconds"
	}
	if m.Kind == CounterKind {
		name += "_total"
	}
	return name
}

// Other replaces a label value that is not one of the metric's, so that outside
// input cannot add series.
const Other = "other"

// labelled returns the handler for one value of the metric's label.
func (m Metric) labelled(handler client.MetricsHandler, value []string) client.MetricsHandler {
	if m.Label == "" {
		return handler
	}
	label := Other
	if len(value) == 1 && slices.Contains(m.Values, value[0]) {
		label = value[0]
	}
	return handler.WithTags(map[string]string{m.Label: label})
}

// Counter is a metric that only grows.
type Counter struct{ Metric }

func counter(m Metric) Counter {
	m.Kind = CounterKind
	return Counter{m}
}

// Add adds n. A counter with a label takes its value, another one none.
func (c Counter) Add(handler client.MetricsHandler, n int64, value ...string) {
	c.labelled(handler, value).Counter(c.Name).Inc(n)
}

// Begin exposes every series of the counter at zero, so that rate() includes the
// first event.
func (c Counter) Begin(handler client.MetricsHandler) {
	if c.Label == "" {
		c.Add(handler, 0)
	}
	for _, value := range c.Values {
		c.Add(handler, 0, value)
	}
}

// Timer is a histogram of times.
type Timer struct{ Metric }

func timer(m Metric) Timer {
	m.Kind, m.Seconds = HistogramKind, true
	return Timer{m}
}

// Observe records one time.
func (t Timer) Observe(handler client.MetricsHandler, took time.Duration) {
	handler.Timer(t.Name).Record(took)
}

// Histogram is a histogram of numbers, for activities: it would record a replayed
// workflow's values again.
type Histogram struct{ Metric }

func histogram(m Metric) Histogram {
	m.Kind = HistogramKind
	return Histogram{m}
}

// Observe records one number. The handlers of Temporal's SDK have no such
// instrument, so the OpenTelemetry meter below the handler records it; a handler
// without one records nothing.
func (h Histogram) Observe(ctx context.Context, handler client.MetricsHandler, number int) {
	meter := opentelemetry.ExtractMetricsHandler(handler)
	if meter == nil {
		return
	}
	// The only error is an invalid name, and then a usable instrument comes with it.
	instrument, _ := meter.GetMeter().Int64Histogram(h.Name)
	instrument.Record(ctx, int64(number))
}

// Gauge is a metric that grows and shrinks.
type Gauge struct{ Metric }

func gauge(m Metric) Gauge {
	m.Kind = GaugeKind
	return Gauge{m}
}

// Set sets the current value. A gauge with a label takes its value, another one
// none.
func (g Gauge) Set(handler client.MetricsHandler, current float64, value ...string) {
	g.labelled(handler, value).Gauge(g.Name).Update(current)
}

// Forget sets every series of the gauge to NaN, for unknown: Prometheus' max and
// min skip NaN, no comparison holds for it and graphs show a gap. A handler of
// Temporal's SDK cannot remove a series.
func (g Gauge) Forget(handler client.MetricsHandler) {
	if g.Label == "" {
		g.Set(handler, math.NaN())
	}
	for _, value := range g.Values {
		g.Set(handler, math.NaN(), value)
	}
}
