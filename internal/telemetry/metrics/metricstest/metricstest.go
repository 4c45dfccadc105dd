// Package metricstest is a metrics handler for tests, which remembers what
// lumaflow's own metrics were told.
package metricstest

import (
	"maps"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"lumaflow/internal/telemetry/metrics"
)

// Recorder is a handler that remembers. It is safe for concurrent use.
type Recorder struct {
	tags map[string]string
	told *told
}

type told struct {
	mu     sync.Mutex
	values map[string]float64
	times  map[string][]time.Duration
}

// New returns a Recorder that remembers nothing yet.
func New() Recorder {
	return Recorder{told: &told{values: map[string]float64{}, times: map[string][]time.Duration{}}}
}

// Values are the sums of the counters and the last values of the gauges, under
// the metric's name without lumaflow_ and, after a blank, the value of its label.
func (r Recorder) Values() map[string]float64 {
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	return maps.Clone(r.told.values)
}

// Times are what a histogram was told.
func (r Recorder) Times(h metrics.Histogram) []time.Duration {
	r.told.mu.Lock()
	defer r.told.mu.Unlock()
	return r.told.times[h.Name]
}

// WithTags adds tags, as Temporal's SDK does.
func (r Recorder) WithTags(tags map[string]string) client.MetricsHandler {
	merged := maps.Clone(tags)
	maps.Copy(merged, r.tags)
	maps.Copy(merged, tags)
	return Recorder{merged, r.told}
}

// Counter takes what is recorded, as Gauge and Timer do.
func (r Recorder) Counter(name string) client.MetricsCounter {
	return taker{r, name}
}

// Gauge is described at Counter.
func (r Recorder) Gauge(name string) client.MetricsGauge { return taker{r, name} }

// Timer is described at Counter.
func (r Recorder) Timer(name string) client.MetricsTimer { return taker{r, name} }

type taker struct {
	Recorder
	name string
}

func (t taker) Inc(n int64) {
	t.remember(func(series string) { t.told.values[series] += float64(n) })
}

func (t taker) Update(now float64) {
	t.remember(func(series string) { t.told.values[series] = now })
}

func (t taker) Record(took time.Duration) {
	t.remember(func(string) { t.told.times[t.name] = append(t.told.times[t.name], took) })
}

// remember passes over the SDK's own metrics.
func (t taker) remember(as func(series string)) {
	t.told.mu.Lock()
	defer t.told.mu.Unlock()
	for _, known := range metrics.All() {
		if known.Name != t.name {
			continue
		}
		series := strings.TrimPrefix(t.name, "lumaflow_")
		if known.Label != "" {
			series += " " + t.tags[known.Label]
		}
		as(series)
	}
}
