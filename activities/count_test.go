package activities_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/store"
	"lumaflow/internal/telemetry/metrics"
)

func TestSubmissionsAreCounted(t *testing.T) {
	for _, test := range []struct {
		err  error
		want map[string]float64
	}{
		{nil, map[string]float64{"submissions accepted": 1}},
		{&kie.Error{Class: kie.NotSent}, map[string]float64{"submissions not-sent": 1}},
		{&kie.Error{Class: kie.Refused, Code: 422}, map[string]float64{"submissions refused": 1}},
		{&kie.Error{Class: kie.Held, Code: 401}, map[string]float64{"submissions held-key": 1}},
		{&kie.Error{Class: kie.Held, Code: 402}, map[string]float64{"submissions held-credit": 1}},
		{&kie.Error{Class: kie.Held, Code: 429}, map[string]float64{"submissions held-rate-limit": 1}},
		{&kie.Error{Class: kie.Held, Code: 433}, map[string]float64{"submissions held-cap": 1}},
		{&kie.Error{Class: kie.Held, Code: 455}, map[string]float64{"submissions held-maintenance": 1}},
		{&kie.Error{Class: kie.Held, Code: 499}, map[string]float64{"submissions held-other": 1}},
		// The workflow counts these.
		{&kie.Error{Class: kie.Unknown}, map[string]float64{}},
		{errors.New("odd"), map[string]float64{}},
	} {
		f := newFixture(t)
		f.answerSubmissions(taskID, test.err)
		_, _ = f.submit(t, f.submitInput())
		require.Equal(t, test.want, f.measured.Values(), "%v", test.err)
	}
}

func TestPollsAreCounted(t *testing.T) {
	urls := []string{"https://tempfile.example.org/1.mp4"}
	for _, test := range []struct {
		record kie.Record
		err    error
		want   string
		ends   bool
	}{
		{kie.Record{State: kie.Pending}, nil, "pending", false},
		{kie.Record{State: kie.Succeeded}, nil, "pending", false},
		{kie.Record{State: kie.Succeeded, ResultURLs: urls}, nil, "finished", true},
		{kie.Record{State: kie.Failed}, nil, "failed", true},
		{kie.Record{}, &kie.Error{Class: kie.Temporary}, "unavailable", false},
	} {
		f := newFixture(t)
		f.setRecord(test.record, test.err)
		_, _ = f.poll(t, activities.PollInput{TaskID: taskID, Until: f.now.Add(time.Hour)})
		require.Equal(t, map[string]float64{"polls " + test.want: 1}, f.measured.Values())
		count, sum := f.measured.Observations(metrics.JobPolls.Metric)
		if test.ends {
			require.EqualValues(t, 1, count, "one task")
			require.InDelta(t, 1, sum, 0, "one poll")
		} else {
			require.Zero(t, count)
		}
	}
}

func TestDownloadsAreCounted(t *testing.T) {
	for _, test := range []struct {
		err  error
		want map[string]float64
	}{
		{nil, map[string]float64{"downloads stored": 1, "stored_bytes": 42}},
		{&fetch.Error{Kind: fetch.Transient}, map[string]float64{"downloads interrupted": 1}},
		{errors.New("odd"), map[string]float64{"downloads interrupted": 1}},
		{&fetch.Error{Kind: fetch.Rejected}, map[string]float64{"downloads rejected": 1}},
		{&fetch.Error{Kind: fetch.Forbidden}, map[string]float64{"downloads rejected": 1}},
		{&fetch.Error{Kind: fetch.Disk}, map[string]float64{"downloads storage": 1}},
	} {
		f := newFixture(t)
		f.serveLinks(map[string]error{inputLink: test.err})
		_, _ = f.download(t, f.downloadInput())
		require.Equal(t, test.want, f.measured.Values(), "%v", test.err)
	}
	t.Run("link dead", func(t *testing.T) {
		f := newFixture(t)
		dead := &fetch.Error{Kind: fetch.LinkDead}
		f.serveLinks(map[string]error{inputLink: dead, remintedLink: dead, recordLink: dead})
		_, _ = f.download(t, f.downloadInput())
		require.Equal(t, map[string]float64{"downloads link-dead": 1}, f.measured.Values(), "one attempt counts once for all its links")
	})
	t.Run("the store fails", func(t *testing.T) {
		f := newFixture(t)
		f.serveLinks(nil)
		f.stored.fail = errors.New("read-only")
		_, _ = f.download(t, f.downloadInput())
		require.Equal(t, map[string]float64{"downloads storage": 1}, f.measured.Values())
	})
	t.Run("already stored", func(t *testing.T) {
		f := newFixture(t)
		f.serveLinks(nil)
		f.stored.videos["v.mp4"] = store.Source{Bytes: 42, SHA256: "abc"}
		f.stored.receipts["luma_result_"+taskID+".json"] = store.Receipt{TaskID: taskID, Files: []store.ReceiptFile{{Name: "v.mp4", Bytes: 42, SHA256: "abc"}}}
		_, _ = f.download(t, f.downloadInput())
		require.Equal(t, map[string]float64{"downloads already-stored": 1}, f.measured.Values())
	})
	t.Run("drained", func(t *testing.T) {
		f := newFixture(t)
		stopping := make(chan struct{})
		close(stopping)
		f.SetWorkerStopChannel(stopping)
		f.serveLinks(nil)
		f.options.Fetcher = stoppable{}
		var last activities.DownloadProgress
		f.SetHeartbeatDetails(activities.DownloadProgress{Bytes: 7, Total: 42, Rejections: 2})
		f.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) { _ = details.Get(&last) })
		_, _ = f.download(t, f.downloadInput())
		require.Equal(t, map[string]float64{"downloads drained": 1}, f.measured.Values())
		require.Equal(t, activities.DownloadProgress{Bytes: 7, Total: 42, Rejections: 2}, last, "the progress is kept")
	})
}
