// Package metricstest provides a metrics handler for tests that keeps the values
// of lumaflow's own metrics.
package metricstest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"

	"lumaflow/internal/telemetry/metrics"
)

// Recorder is a metrics handler that keeps values. It is safe for concurrent use.
type Recorder struct {
	tags map[string]string
	kept *kept
}

type kept struct {
	mu      sync.Mutex
	values  map[string]float64
	times   map[string][]time.Duration
	numbers map[string][]int64
}

// New returns an empty Recorder.
func New() Recorder {
	return Recorder{kept: &kept{values: map[string]float64{}, times: map[string][]time.Duration{}, numbers: map[string][]int64{}}}
}

// Values returns the sums of counters and the last values of gauges. The key is
// the metric's name without lumaflow_ and, after a space, its label value.
func (r Recorder) Values() map[string]float64 {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	return maps.Clone(r.kept.values)
}

// Times returns the observations of a timer.
func (r Recorder) Times(t metrics.Timer) []time.Duration {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	return slices.Clone(r.kept.times[t.Name])
}

// Numbers returns the observations of a histogram.
func (r Recorder) Numbers(h metrics.Histogram) []int64 {
	r.kept.mu.Lock()
	defer r.kept.mu.Unlock()
	return slices.Clone(r.kept.numbers[h.Name])
}

// WithTags returns the Recorder with more tags; it implements
// client.MetricsHandler.
func (r Recorder) WithTags(tags map[string]string) client.MetricsHandler {
	merged := maps.Clone(tags)
	maps.Copy(merged, r.tags)
	maps.Copy(merged, tags)
	return Recorder{merged, r.kept}
}

// Counter implements client.MetricsHandler.
func (r Recorder) Counter(name string) client.MetricsCounter { return instrument{r, name} }

// Gauge implements client.MetricsHandler.
func (r Recorder) Gauge(name string) client.MetricsGauge { return instrument{r, name} }

// Timer implements client.MetricsHandler.
func (r Recorder) Timer(name string) client.MetricsTimer { return instrument{r, name} }

// Unwrap returns a handler of Temporal's OpenTelemetry package, whose meter takes
// the observations of histograms.
func (r Recorder) Unwrap() client.MetricsHandler {
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meter{kept: r.kept}})
}

type instrument struct {
	recorder Recorder
	name     string
}

func (i instrument) Inc(n int64) {
	i.record(func(kept *kept, series string) { kept.values[series] += float64(n) })
}

func (i instrument) Update(current float64) {
	i.record(func(kept *kept, series string) { kept.values[series] = current })
}

func (i instrument) Record(took time.Duration) {
	i.record(func(kept *kept, _ string) { kept.times[i.name] = append(kept.times[i.name], took) })
}

// record skips the SDK's own metrics.
func (i instrument) record(update func(kept *kept, series string)) {
	all := metrics.All()
	at := slices.IndexFunc(all, func(m metrics.Metric) bool { return m.Name == i.name })
	if at < 0 {
		return
	}
	series := strings.TrimPrefix(i.name, "lumaflow_")
	if label := all[at].Label; label != "" {
		series += " " + i.recorder.tags[label]
	}
	kept := i.recorder.kept
	kept.mu.Lock()
	defer kept.mu.Unlock()
	update(kept, series)
}

type meter struct {
	noop.Meter
	kept *kept
}

func (m meter) Int64Histogram(name string, _ ...metric.Int64HistogramOption) (metric.Int64Histogram, error) {
	return histogram{name: name, kept: m.kept}, nil
}

type histogram struct {
	noop.Int64Histogram
	name string
	kept *kept
}

func (h histogram) Record(_ context.Context, number int64, _ ...metric.RecordOption) {
	h.kept.mu.Lock()
	defer h.kept.mu.Unlock()
	h.kept.numbers[h.name] = append(h.kept.numbers[h.name], number)
}
