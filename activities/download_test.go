package activities_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/media"
	"lumaflow/internal/store"
)

const (
	given    = "https://cdn.example.org/given.mp4"
	reminted = "https://cdn.example.org/reminted.mp4"
	reread   = "https://cdn.example.org/reread.mp4"
)

func fetched() *fetch.File {
	return &fetch.File{
		Path: "/partial/file", Bytes: 42, SHA256: "abc", ETag: `"v1"`, Host: "cdn.example.org",
		Video: media.Video{Duration: 9960 * time.Millisecond, Width: 1280, Height: 720, Extension: ".mp4"},
	}
}

// serves has each link come to an error or, if there is none, to the video.
func (b *bench) serves(links map[string]error) *[]string {
	var asked []string
	b.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
		asked = append(asked, request.URL)
		if err := links[request.URL]; err != nil {
			return nil, err
		}
		return fetched(), nil
	})
	b.provider.downloadURL = func(string) (string, error) { return reminted, nil }
	b.records(kie.Record{State: kie.Succeeded, ResultURLs: []string{reread}}, nil)
	return &asked
}

func (b *bench) download(t *testing.T, input activities.DownloadInput) (activities.Downloaded, error) {
	t.Helper()
	acts := b.register(t)
	var downloaded activities.Downloaded
	value, err := b.ExecuteActivity(acts.Download, input)
	if err == nil {
		require.NoError(t, value.Get(&downloaded))
	}
	return downloaded, err
}

func (b *bench) wanted() activities.DownloadInput {
	return activities.DownloadInput{TaskID: task, Number: 1, URL: given, Until: b.now.Add(time.Hour)}
}

func TestDownloadRenewsDeadLinks(t *testing.T) {
	dead := &fetch.Error{Kind: fetch.LinkDead, StatusCode: 403}
	tests := []struct {
		name  string
		links map[string]error
		want  []string
	}{
		{"the given link works", nil, []string{given}},
		{"re-minted", map[string]error{given: dead}, []string{given, reminted}},
		{"re-read", map[string]error{given: dead, reminted: dead}, []string{given, reminted, reread}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			asked := b.serves(test.links)
			downloaded, err := b.download(t, b.wanted())
			require.NoError(t, err)
			require.Equal(t, test.want, *asked)
			require.Equal(t, activities.Video{
				Location: "file:///videos/luma_result_" + task + "_1.mp4", SourceURL: given, Bytes: 42, SHA256: "abc",
				Duration: "9.96s", Width: 1280, Height: 720,
			}, downloaded.Video)
			require.Equal(t, "cdn.example.org", downloaded.URLHost)
			require.Contains(t, b.shelf.videos, "luma_result_"+task+"_1.mp4")
		})
	}
	t.Run("a link that can't be re-minted is re-read", func(t *testing.T) {
		b := newBench(t)
		asked := b.serves(map[string]error{given: dead})
		b.provider.downloadURL = func(string) (string, error) { return "", &kie.Error{Class: kie.Refused, Code: 422} }
		_, err := b.download(t, b.wanted())
		require.NoError(t, err)
		require.Equal(t, []string{given, reread}, *asked)
	})
	t.Run("all dead is tried again later", func(t *testing.T) {
		b := newBench(t)
		b.serves(map[string]error{given: dead, reminted: dead, reread: dead})
		_, err := b.download(t, b.wanted())
		failed := failedAs(t, err)
		require.False(t, failed.NonRetryable())
		require.Equal(t, 30*time.Second, failed.NextRetryDelay())
	})
}

// Each kind of fetch error has one fate.
func TestDownloadOutcomes(t *testing.T) {
	tests := []struct {
		name      string
		err       error
		errorType string
		final     bool
		after     time.Duration
	}{
		{"interrupted", &fetch.Error{Kind: fetch.Transient}, activities.DownloadInterrupted, false, 0},
		{"told to wait", &fetch.Error{Kind: fetch.Transient, RetryAfter: 7 * time.Second}, activities.DownloadInterrupted, false, 7 * time.Second},
		{"no video, this time", &fetch.Error{Kind: fetch.Rejected}, activities.DownloadInterrupted, false, 10 * time.Second},
		{"a private address, this time", &fetch.Error{Kind: fetch.Forbidden}, activities.DownloadInterrupted, false, 10 * time.Second},
		{"an error of no kind", errors.New("odd"), activities.DownloadInterrupted, false, 0},
		{"the disk is full", &fetch.Error{Kind: fetch.Disk}, activities.StorageUnavailable, false, 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.serves(map[string]error{given: test.err})
			_, err := b.download(t, b.wanted())
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.final, failed.NonRetryable())
			require.Equal(t, test.after, failed.NextRetryDelay())
		})
		t.Run(test.name+" after the deadline", func(t *testing.T) {
			b := newBench(t)
			b.serves(map[string]error{given: test.err})
			input := b.wanted()
			input.Until = b.now
			_, err := b.download(t, input)
			require.True(t, failedAs(t, err).NonRetryable())
		})
	}
}

func TestBytesThatAreNeverAVideoAreGivenUp(t *testing.T) {
	b := newBench(t)
	b.serves(map[string]error{given: &fetch.Error{Kind: fetch.Rejected, Err: errors.New("an HTML page")}})
	b.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 9})
	_, err := b.download(t, b.wanted())
	failed := failedAs(t, err)
	require.Equal(t, activities.DownloadRejected, failed.Type())
	require.True(t, failed.NonRetryable())
}

func TestDownloadThatTheStoreDoesNotTake(t *testing.T) {
	b := newBench(t)
	b.serves(nil)
	b.shelf.fail = errors.New(`store "v.mp4" in /videos: read-only`)
	_, err := b.download(t, b.wanted())
	failed := failedAs(t, err)
	require.Equal(t, activities.StorageUnavailable, failed.Type())
	require.Equal(t, b.shelf.fail.Error(), failed.Message(), "said once")
	require.False(t, failed.NonRetryable())
}

// A file that is already there and matches its receipt is success.
func TestDownloadFindsWhatAnEarlierJobStored(t *testing.T) {
	const name = "luma_result_" + task + "_1.mp4"
	receipt := store.Receipt{TaskID: task, Files: []store.ReceiptFile{{Name: name, Bytes: 42, SHA256: "abc", Duration: "9.96s"}}}
	tests := []struct {
		name    string
		receipt store.Receipt
		stored  store.Source
		fetches int
	}{
		{"matching", receipt, store.Source{Bytes: 42, SHA256: "abc"}, 0},
		{"changed since", receipt, store.Source{Bytes: 42, SHA256: "changed"}, 1},
		{"of another task", store.Receipt{TaskID: "other", Files: receipt.Files}, store.Source{Bytes: 42, SHA256: "abc"}, 1},
		{"of fewer files", store.Receipt{TaskID: task}, store.Source{Bytes: 42, SHA256: "abc"}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			asked := b.serves(nil)
			b.shelf.videos[name] = test.stored
			b.shelf.receipts["luma_result_"+task+".json"] = test.receipt
			downloaded, err := b.download(t, b.wanted())
			require.NoError(t, err)
			require.Len(t, *asked, test.fetches)
			require.Equal(t, int64(42), downloaded.Video.Bytes)
		})
	}
}

func TestDownloadStopsWithItsWorker(t *testing.T) {
	b := newBench(t)
	stopping := make(chan struct{})
	close(stopping)
	b.SetWorkerStopChannel(stopping)
	b.options.Fetcher = stoppable{}
	_, err := b.download(t, b.wanted())
	require.False(t, failedAs(t, err).NonRetryable())
	require.Equal(t, "the worker was told to stop, the next one goes on", failedAs(t, err).Message())
}

func TestReceipt(t *testing.T) {
	b := newBench(t)
	acts := b.register(t)
	_, err := b.ExecuteActivity(acts.WriteReceipt, activities.ReceiptInput{
		TaskID: task, Name: "reel", Prompt: "p", SubmitAttempts: 2, WokenBy: "poll",
		Files: []activities.Downloaded{{Name: "reel_1.mp4", URLHost: "cdn.example.org", Video: activities.Video{Bytes: 42, SHA256: "abc"}}},
	})
	require.NoError(t, err)
	receipt := b.shelf.receipts["reel_luma_result_"+task+".json"]
	require.Equal(t, "default-test-workflow-id", receipt.Job)
	require.Equal(t, 2, receipt.SubmitAttempts)
	require.Equal(t, "abc", receipt.Files[0].SHA256)
}
