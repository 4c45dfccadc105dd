// Package metrics names everything that lumaflow measures about its jobs, each
// with its meaning and with all the values that its one label can have. Where a
// measurement is taken, Temporal's own metrics handler takes it: in a workflow
// that is the one that stays silent during replay, without METRICS_LISTEN it is
// one that does nothing.
package metrics

import (
	"math"
	"slices"
	"time"

	"go.temporal.io/sdk/client"
)

// Kind is what a metric is to Prometheus.
type Kind string

// The kinds of metrics.
const (
	CounterKind   Kind = "counter"
	HistogramKind Kind = "histogram"
	GaugeKind     Kind = "gauge"
)

// Metric is one thing that is measured.
type Metric struct {
	// Name is what it is recorded under. Prometheus shows it as Exposed.
	Name string
	Kind Kind
	// Help is its meaning, as one sentence.
	Help string
	// Label is its only label, Values all that the label can be; empty if it has
	// none.
	Label  string
	Values []string
	// Seconds says that it is a time, in seconds.
	Seconds bool
	// Buckets are the upper bounds of a histogram.
	Buckets []float64
}

// Exposed is the name that Prometheus shows.
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

// Other stands in for a label's value that is not among the metric's: whatever
// the outside says, the number of series stays what it is.
const Other = "other"

// with is the handler for one value of the metric's label.
func (m Metric) with(handler client.MetricsHandler, value []string) client.MetricsHandler {
	if m.Label == "" {
		return handler
	}
	label := Other
	if len(value) == 1 && slices.Contains(m.Values, value[0]) {
		label = value[0]
	}
	return handler.WithTags(map[string]string{m.Label: label})
}

// Counter only grows.
type Counter struct{ Metric }

// Add counts n more. A counter with a label takes its value, others take none.
func (c Counter) Add(handler client.MetricsHandler, n int64, value ...string) {
	c.with(handler, value).Counter(c.Name).Inc(n)
}

// Begin shows every series of the counter at zero, so that the first event is
// seen as a change.
func (c Counter) Begin(handler client.MetricsHandler) {
	if c.Label == "" {
		c.Add(handler, 0)
	}
	for _, value := range c.Values {
		c.Add(handler, 0, value)
	}
}

// Histogram shows how often which values came up. Its values are times or
// numbers.
type Histogram struct{ Metric }

// Observe takes one time.
func (h Histogram) Observe(handler client.MetricsHandler, took time.Duration) {
	handler.Timer(h.Name).Record(took)
}

// ObserveNumber takes one number. Temporal's handler has histograms of times
// only, so a second stands for one; what is shown has no unit.
func (h Histogram) ObserveNumber(handler client.MetricsHandler, number int) {
	handler.Timer(h.Name).Record(time.Duration(number) * time.Second)
}

// Gauge goes up and down.
type Gauge struct{ Metric }

// Set says what the value is now. A gauge with a label takes its value, others
// take none.
func (g Gauge) Set(handler client.MetricsHandler, now float64, value ...string) {
	g.with(handler, value).Gauge(g.Name).Update(now)
}

// Forget says, of every value of the label, that it is not known now. NaN is what
// Prometheus' max and min pass over and no comparison holds for, and what shows as
// a gap: a handler of Temporal's can't take a gauge back.
func (g Gauge) Forget(handler client.MetricsHandler) {
	if g.Label == "" {
		g.Set(handler, math.NaN())
	}
	for _, value := range g.Values {
		g.Set(handler, math.NaN(), value)
	}
}
