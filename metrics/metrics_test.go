package metrics_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"lumaflow/metrics"
	"lumaflow/workflows"
)

// noted is a handler that writes down what is recorded.
type noted struct {
	tags map[string]string
	into *[]record
}

type record struct {
	kind, name string
	tags       map[string]string
	value      float64
}

func newNoted() noted { return noted{into: &[]record{}} }

func (n noted) WithTags(tags map[string]string) client.MetricsHandler {
	return noted{tags: tags, into: n.into}
}
func (n noted) note(kind, name string, value float64) {
	*n.into = append(*n.into, record{kind, name, n.tags, value})
}

type recorder func(float64)

func (r recorder) Inc(value int64)            { r(float64(value)) }
func (r recorder) Update(value float64)       { r(value) }
func (r recorder) Record(value time.Duration) { r(value.Seconds()) }

func (n noted) Counter(name string) client.MetricsCounter {
	return recorder(func(v float64) { n.note("counter", name, v) })
}
func (n noted) Gauge(name string) client.MetricsGauge {
	return recorder(func(v float64) { n.note("gauge", name, v) })
}
func (n noted) Timer(name string) client.MetricsTimer {
	return recorder(func(v float64) { n.note("timer", name, v) })
}

func TestRecording(t *testing.T) {
	t.Parallel()
	handler := newNoted()
	metrics.Submissions.Add(handler, 1, metrics.HeldByCredit)
	metrics.StoredBytes.Add(handler, 4096)
	metrics.FinishedToStored.Observe(handler, 90*time.Second)
	metrics.JobPolls.ObserveNumber(handler, 3)
	metrics.Jobs.Set(handler, 7, "waiting")
	metrics.OldestJob.Set(handler, 12.5)
	assert.Equal(t, []record{
		{"counter", "lumaflow_submissions", map[string]string{"outcome": "held-credit"}, 1},
		{"counter", "lumaflow_stored_bytes", nil, 4096},
		{"timer", "lumaflow_finished_to_stored", nil, 90},
		{"timer", "lumaflow_job_polls", nil, 3},
		{"gauge", "lumaflow_jobs", map[string]string{"stage": "waiting"}, 7},
		{"gauge", "lumaflow_oldest_job", nil, 12.5},
	}, *handler.into)
}

// Whatever is handed in, a label is one of the known values.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	handler := newNoted()
	metrics.Callbacks.Add(handler, 1, "https://example.org/an-id")
	metrics.Callbacks.Add(handler, 1)
	metrics.Jobs.Set(handler, 1, "0123456789abcdef")
	for _, got := range *handler.into {
		for _, value := range got.tags {
			assert.Equal(t, metrics.Other, value)
		}
	}
}

func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	handler := newNoted()
	metrics.Wakeups.Begin(handler)
	metrics.StoredBytes.Begin(handler)
	assert.Equal(t, []record{
		{"counter", "lumaflow_wakeups", map[string]string{"source": "callback"}, 0},
		{"counter", "lumaflow_wakeups", map[string]string{"source": "poll"}, 0},
		{"counter", "lumaflow_stored_bytes", nil, 0},
	}, *handler.into)
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, m := range metrics.All() {
		assert.Regexp(t, `^lumaflow_[a-z_]+$`, m.Name)
		assert.False(t, names[m.Name], "%s is there twice", m.Name)
		names[m.Name] = true
		assert.NotEmpty(t, m.Help, m.Name)
		assert.Equal(t, m.Label == "", len(m.Values) == 0, m.Name)
		assert.Equal(t, m.Kind == metrics.HistogramKind, len(m.Buckets) > 0, m.Name)
		assert.IsIncreasing(t, append([]float64{-1}, m.Buckets...), m.Name)
	}
	for _, counter := range append(metrics.OfWorker, metrics.OfWebhook...) {
		assert.True(t, names[counter.Name], counter.Name)
		assert.Equal(t, metrics.CounterKind, counter.Kind, counter.Name)
	}
}

// The words of the contract are those of the metrics.
func TestLabelsOfTheContract(t *testing.T) {
	t.Parallel()
	for _, stage := range []workflows.Stage{
		workflows.StageSubmitting, workflows.StageHeld, workflows.StageSubmitUnknown, workflows.StageWaiting, workflows.StageCollecting,
	} {
		assert.Contains(t, metrics.Jobs.Values, string(stage))
	}
	for _, failure := range []string{
		workflows.InvalidRequest, workflows.SubmitRefused, workflows.SubmitUnknown,
		workflows.GenerationFailed, workflows.ResultOverdue, workflows.DownloadRejected,
	} {
		assert.Contains(t, metrics.JobsEnded.Values, failure)
	}
}

// docs/metrics.md has a row for each metric, and none for any other.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?m)^\\| `lumaflow_.*$").FindAllString(string(text), -1)
	var want []string
	for _, m := range metrics.All() {
		label := ""
		if m.Label != "" {
			label = "`" + m.Label + "`: " + strings.Join(m.Values, ", ")
		}
		want = append(want, "| `"+m.Exposed()+"` | "+string(m.Kind)+" | "+label+" | "+m.Help+" |")
	}
	assert.Equal(t, strings.Join(want, "\n"), strings.Join(found, "\n"), "the table of docs/metrics.md")
}
