package metrics_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/internal/telemetry/metrics"
	"lumaflow/test/metricstest"
	"lumaflow/workflows"
)

func TestRecording(t *testing.T) {
	t.Parallel()
	recorder := metricstest.New()
	metrics.Submissions.Add(recorder, 1, metrics.HeldByCredit)
	metrics.StoredBytes.Add(recorder, 4000)
	metrics.StoredBytes.Add(recorder, 96)
	metrics.FinishedToStored.Observe(recorder, 90*time.Second)
	metrics.JobPolls.Observe(t.Context(), recorder, 3)
	metrics.Jobs.Set(recorder, 7, "waiting")
	metrics.OldestJob.Set(recorder, 12.5)
	assert.Equal(t, map[string]float64{
		"submissions held-credit": 1, "stored_bytes": 4096, "jobs waiting": 7, "oldest_job": 12.5,
	}, recorder.Values())
	count, sum := recorder.Observations(metrics.FinishedToStored.Metric)
	assert.EqualValues(t, 1, count)
	assert.InDelta(t, 90, sum, 0)
	count, sum = recorder.Observations(metrics.JobPolls.Metric)
	assert.EqualValues(t, 1, count)
	assert.InDelta(t, 3, sum, 0)
}

// Unknown label values become other.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	recorder := metricstest.New()
	metrics.Callbacks.Add(recorder, 1, "https://example.org/an-id")
	metrics.Callbacks.Add(recorder, 1)
	metrics.Jobs.Set(recorder, 3, "0123456789abcdef")
	metrics.Millicredits.Add(recorder, 61500, "aleph", metrics.CreditsStored)
	metrics.Millicredits.Add(recorder, 500, "acme/restyle", metrics.CreditsStored)
	metrics.Millicredits.Add(recorder, 20, "acme/other", "stolen")
	metrics.Millicredits.Add(recorder, 3, "aleph")
	assert.Equal(t, map[string]float64{
		"callbacks other": 2, "jobs other": 3,
		"millicredits aleph stored": 61500, "millicredits other stored": 500, "millicredits other other": 23,
	}, recorder.Values())
}

func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	recorder := metricstest.New()
	metrics.Wakeups.Begin(recorder)
	metrics.StoredBytes.Begin(recorder)
	assert.Equal(t, map[string]float64{"wakeups callback": 0, "wakeups poll": 0, "stored_bytes": 0}, recorder.Values())
	recorder = metricstest.New()
	metrics.Millicredits.Begin(recorder)
	values := recorder.Values()
	assert.Len(t, values, 4*(len(kie.Models())+1))
	for _, series := range []string{"luma stored", "wan/2-7-videoedit no-video", "aleph unstored", "other adopted"} {
		assert.Contains(t, values, "millicredits "+series)
	}
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, m := range metrics.All() {
		assert.Regexp(t, `^lumaflow_[a-z_]+$`, m.Name)
		assert.False(t, names[m.Name], "duplicate %s", m.Name)
		names[m.Name] = true
		assert.NotEmpty(t, m.Help, m.Name)
		for _, label := range m.Labels {
			assert.NotEmpty(t, label.Name, m.Name)
			assert.NotEmpty(t, label.Values, m.Name)
		}
		assert.Equal(t, m.Kind == metrics.HistogramKind, len(m.Buckets) > 0, m.Name)
		assert.IsIncreasing(t, append([]float64{-1, 0}, m.Buckets...), m.Name)
	}
	for _, counter := range append(metrics.OfWorker, metrics.OfWebhook...) {
		assert.True(t, names[counter.Name], counter.Name)
		assert.Equal(t, metrics.CounterKind, counter.Kind, counter.Name)
	}
}

// The labels include every stage and failure type of the contract.
func TestLabelsMatchTheContract(t *testing.T) {
	t.Parallel()
	for _, stage := range []workflows.Stage{
		workflows.StageSubmitting, workflows.StageHeld, workflows.StageSubmitUnknown, workflows.StageWaiting, workflows.StageCollecting,
	} {
		assert.Contains(t, metrics.Jobs.Labels[0].Values, string(stage))
	}
	for _, failure := range []string{
		workflows.InvalidRequest, workflows.SubmitRefused, workflows.SubmitUnknown,
		workflows.GenerationFailed, workflows.ResultOverdue, workflows.DownloadRejected,
	} {
		assert.Contains(t, metrics.JobsEnded.Labels[0].Values, failure)
	}
}

// docs/metrics.md has one row for each metric.
func TestDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/metrics.md")
	require.NoError(t, err)
	found := regexp.MustCompile("(?m)^\\| `lumaflow_.*$").FindAllString(string(text), -1)
	var want []string
	for _, m := range metrics.All() {
		var labels []string
		for _, label := range m.Labels {
			values := strings.Join(label.Values, ", ")
			if label.Name == "model" {
				values = "each of `lumaflow models`, " + metrics.Other
			}
			labels = append(labels, "`"+label.Name+"`: "+values)
		}
		want = append(want, "| `"+m.Exposed()+"` | "+string(m.Kind)+" | "+strings.Join(labels, "; ")+" | "+m.Help+" |")
	}
	assert.Equal(t, strings.Join(want, "\n"), strings.Join(found, "\n"), "the table of docs/metrics.md")
}
