// Package metrics declares lumaflow's own metrics, each with its meaning and all
// values of its labels. Values are recorded through the metrics handler of
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
	// Labels are in the order of their values in Add and Set.
	Labels []Label
	// Seconds marks a time in seconds.
	Seconds bool
	// Buckets are the upper bounds of a histogram.
	Buckets []float64
}

// Label is a label and all its values.
type Label struct {
	Name   string
	Values []string
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

// labelled returns the handler for one value of each label of the metric.
func (m Metric) labelled(handler client.MetricsHandler, values []string) client.MetricsHandler {
	if len(m.Labels) == 0 {
		return handler
	}
	tags := map[string]string{}
	for i, label := range m.Labels {
		tags[label.Name] = Other
		if len(values) == len(m.Labels) && slices.Contains(label.Values, values[i]) {
			tags[label.Name] = values[i]
		}
	}
	return handler.WithTags(tags)
}

// series returns the values of the labels of each series; one without values for a
// metric without labels.
func (m Metric) series() [][]string {
	all := [][]string{nil}
	for _, label := range m.Labels {
		var longer [][]string
		for _, values := range all {
			for _, value := range label.Values {
				longer = append(longer, append(slices.Clone(values), value))
			}
		}
		all = longer
	}
	return all
}

// Counter is a metric that only grows.
type Counter struct{ Metric }

func counter(m Metric) Counter {
	m.Kind = CounterKind
	return Counter{m}
}

// Add adds n to the series with one value for each label.
func (c Counter) Add(handler client.MetricsHandler, n int64, values ...string) {
	c.labelled(handler, values).Counter(c.Name).Inc(n)
}

// Begin exposes every series of the counter at zero, so that rate() includes the
// first event.
func (c Counter) Begin(handler client.MetricsHandler) {
	for _, values := range c.series() {
		c.Add(handler, 0, values...)
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

// Set sets the current value of the series with one value for each label.
func (g Gauge) Set(handler client.MetricsHandler, current float64, values ...string) {
	g.labelled(handler, values).Gauge(g.Name).Update(current)
}

// Forget sets every series of the gauge to NaN, for unknown: Prometheus' max and
// min skip NaN, no comparison holds for it and graphs show a gap. A handler of
// Temporal's SDK cannot remove a series.
func (g Gauge) Forget(handler client.MetricsHandler) {
	for _, values := range g.series() {
		g.Set(handler, math.NaN(), values...)
	}
}
