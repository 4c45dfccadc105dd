package activities_test

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/media"
	"lumaflow/internal/store"
)

const (
	inputLink    = "https://cdn.example.org/input.mp4"
	remintedLink = "https://cdn.example.org/reminted.mp4"
	recordLink   = "https://cdn.example.org/record.mp4"
)

func fetched() *fetch.File {
	return &fetch.File{
		Path: "/partial/file", Bytes: 42, SHA256: "abc", ETag: `"v1"`, Host: "cdn.example.org",
		Video: media.Video{Duration: 9960 * time.Millisecond, Width: 1280, Height: 720, Extension: ".mp4"},
	}
}

// serveLinks makes the download of each link fail with its error or, if that is
// nil, return the video. It returns the links that were requested.
func (f *fixture) serveLinks(links map[string]error) *[]string {
	var requested []string
	f.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
		requested = append(requested, request.URL)
		if err := links[request.URL]; err != nil {
			return nil, err
		}
		return fetched(), nil
	})
	f.provider.downloadURL = func(string) (string, error) { return remintedLink, nil }
	f.setRecord(kie.Record{State: kie.Succeeded, ResultURLs: []string{recordLink}}, nil)
	return &requested
}

func (f *fixture) download(t *testing.T, input activities.DownloadInput) (activities.Downloaded, error) {
	t.Helper()
	acts := f.register(t)
	var downloaded activities.Downloaded
	value, err := f.ExecuteActivity(acts.Download, input)
	if err == nil {
		require.NoError(t, value.Get(&downloaded))
	}
	return downloaded, err
}

func (f *fixture) downloadInput() activities.DownloadInput {
	return activities.DownloadInput{TaskID: taskID, Number: 1, URL: inputLink, Until: f.now.Add(time.Hour)}
}

func TestDownloadRenewsDeadLinks(t *testing.T) {
	dead := &fetch.Error{Kind: fetch.LinkDead, StatusCode: 403}
	tests := []struct {
		name  string
		links map[string]error
		want  []string
	}{
		{"the link of the input works", nil, []string{inputLink}},
		{"re-minted", map[string]error{inputLink: dead}, []string{inputLink, remintedLink}},
		{"read from the record", map[string]error{inputLink: dead, remintedLink: dead}, []string{inputLink, remintedLink, recordLink}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			requested := f.serveLinks(test.links)
			downloaded, err := f.download(t, f.downloadInput())
			require.NoError(t, err)
			require.Equal(t, test.want, *requested)
			require.Equal(t, activities.Video{
				Location: "file:///videos/luma_result_" + taskID + "_1.mp4", SourceURL: inputLink, Bytes: 42, SHA256: "abc",
				Duration: "9.96s", Width: 1280, Height: 720,
			}, downloaded.Video)
			require.Equal(t, "cdn.example.org", downloaded.URLHost)
			require.Contains(t, f.stored.videos, "luma_result_"+taskID+"_1.mp4")
		})
	}
	t.Run("a link that can't be re-minted is read from the record", func(t *testing.T) {
		f := newFixture(t)
		requested := f.serveLinks(map[string]error{inputLink: dead})
		f.provider.downloadURL = func(string) (string, error) { return "", &kie.Error{Class: kie.Refused, Code: 422} }
		_, err := f.download(t, f.downloadInput())
		require.NoError(t, err)
		require.Equal(t, []string{inputLink, recordLink}, *requested)
	})
	t.Run("a download without a live link is retried", func(t *testing.T) {
		f := newFixture(t)
		f.serveLinks(map[string]error{inputLink: dead, remintedLink: dead, recordLink: dead})
		_, err := f.download(t, f.downloadInput())
		failed := failedAs(t, err)
		require.False(t, failed.NonRetryable())
		require.Equal(t, 30*time.Second, failed.NextRetryDelay())
	})
}

// A dead link may answer with a page, or its host be gone: attempts that get nothing
// from one link begin with another.
func TestDownloadTriesOtherLinks(t *testing.T) {
	page, gone := &fetch.Error{Kind: fetch.Rejected, StatusCode: 200}, &fetch.Error{Kind: fetch.Transient}
	dead, private := &fetch.Error{Kind: fetch.LinkDead, StatusCode: 403}, &fetch.Error{Kind: fetch.Forbidden}
	input := []string{inputLink}
	tests := []struct {
		name   string
		failed []error // those of the attempts before
		bytes  int64   // the new ones of each of them
		links  map[string]error
		want   []string
	}{
		{"a page", []error{page}, 0, nil, []string{remintedLink}},
		{"a private address", []error{private}, 0, nil, []string{remintedLink}},
		{"two pages", []error{page, page}, 0, nil, []string{recordLink}},
		{"three pages", []error{page, page, page}, 0, nil, input},
		{"a page, and the re-minted link is dead", []error{page}, 0, map[string]error{remintedLink: dead}, []string{remintedLink, recordLink}},
		{"a page, and both others are dead", []error{page}, 0, map[string]error{remintedLink: dead, recordLink: dead}, []string{remintedLink, recordLink, inputLink}},
		{"twice no bytes", []error{gone, gone}, 0, nil, input},
		{"three times no bytes", []error{gone, gone, gone}, 0, nil, []string{remintedLink}},
		{"six times no bytes", []error{gone, gone, gone, gone, gone, gone}, 0, nil, []string{recordLink}},
		{"no bytes, a dead link between", []error{gone, gone, dead, gone}, 0, nil, input},
		{"new bytes each time", []error{gone, gone, gone}, 10, nil, input},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			requested := f.serveLinks(test.links)
			served, failures, bytes := f.options.Fetcher, test.failed, int64(0)
			f.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
				if len(failures) == 0 {
					return served.Fetch(t.Context(), request)
				}
				bytes += test.bytes
				request.Progress(bytes, 1000)
				return nil, failures[0]
			})
			acts := f.register(t)
			var last activities.DownloadProgress
			f.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
				last = activities.DownloadProgress{}
				require.NoError(t, details.Get(&last))
			})
			for ; len(failures) > 0; failures = failures[1:] {
				_, err := f.ExecuteActivity(acts.Download, f.downloadInput())
				require.False(t, failedAs(t, err).NonRetryable())
				f.SetHeartbeatDetails(last)
			}
			_, err := f.ExecuteActivity(acts.Download, f.downloadInput())
			require.NoError(t, err)
			require.Equal(t, test.want, *requested)
		})
	}
}

// A transfer without new bytes, as during a slow fsync, sends heartbeats.
func TestDownloadHeartbeatsWhileQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
			request.Progress(42, 42)
			time.Sleep(5 * time.Minute)
			return fetched(), nil
		})
		var beats []int64
		var mu sync.Mutex
		f.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
			var progress activities.DownloadProgress
			require.NoError(t, details.Get(&progress))
			mu.Lock()
			defer mu.Unlock()
			beats = append(beats, progress.Bytes)
		})
		_, err := f.download(t, f.downloadInput())
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(beats), 5, "in five minutes")
		require.Subset(t, []int64{42}, beats)
	})
}

// Each kind of fetch error maps to one application error.
func TestDownloadOutcomes(t *testing.T) {
	tests := []struct {
		name      string
		err       error
		errorType string
		final     bool
		after     time.Duration
	}{
		{"interrupted", &fetch.Error{Kind: fetch.Transient}, activities.DownloadInterrupted, false, 0},
		{"rate-limited", &fetch.Error{Kind: fetch.Transient, RetryAfter: 7 * time.Second}, activities.DownloadInterrupted, false, 7 * time.Second},
		{"no video", &fetch.Error{Kind: fetch.Rejected}, activities.DownloadInterrupted, false, 10 * time.Second},
		{"a private address", &fetch.Error{Kind: fetch.Forbidden}, activities.DownloadInterrupted, false, 10 * time.Second},
		{"an error of no kind", errors.New("odd"), activities.DownloadInterrupted, false, 0},
		{"the disk is full", &fetch.Error{Kind: fetch.Disk}, activities.StorageUnavailable, false, 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(map[string]error{inputLink: test.err})
			_, err := f.download(t, f.downloadInput())
			failed := failedAs(t, err)
			require.Equal(t, test.errorType, failed.Type())
			require.Equal(t, test.final, failed.NonRetryable())
			require.Equal(t, test.after, failed.NextRetryDelay())
		})
		t.Run(test.name+" after the deadline", func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(map[string]error{inputLink: test.err})
			input := f.downloadInput()
			input.Until = f.now
			_, err := f.download(t, input)
			require.True(t, failedAs(t, err).NonRetryable())
		})
	}
}

func TestTenthRejectionIsPermanent(t *testing.T) {
	f := newFixture(t)
	f.serveLinks(map[string]error{inputLink: &fetch.Error{Kind: fetch.Rejected, Err: errors.New("an HTML page")}})
	f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 9})
	_, err := f.download(t, f.downloadInput())
	failed := failedAs(t, err)
	require.Equal(t, activities.DownloadRejected, failed.Type())
	require.True(t, failed.NonRetryable())
}

func TestDownloadRetriesAFailingStore(t *testing.T) {
	f := newFixture(t)
	f.serveLinks(nil)
	f.stored.fail = errors.New(`store "v.mp4" in /videos: read-only`)
	_, err := f.download(t, f.downloadInput())
	failed := failedAs(t, err)
	require.Equal(t, activities.StorageUnavailable, failed.Type())
	require.Equal(t, f.stored.fail.Error(), failed.Message(), "the cause is not repeated")
	require.False(t, failed.NonRetryable())
}

// A failure of the disk names the operator's next step, wherever it occurs.
func TestDiskFailuresNameTheNextStep(t *testing.T) {
	for errno, step := range map[syscall.Errno]string{
		syscall.ENOSPC: "the disk is full: make room",
		syscall.EDQUOT: "the disk quota is used up: raise it or make room",
		syscall.EROFS:  "the file system is read-only: mount it writable or name another folder",
		syscall.EIO:    "the disk fails to read or write: check it, or name another folder",
	} {
		cause := fmt.Errorf("store v.mp4 in /videos: %w", errno)
		want := step + ", and the job continues by itself: " + cause.Error()
		t.Run("store, "+errno.Error(), func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(nil)
			f.stored.fail = cause
			_, err := f.download(t, f.downloadInput())
			failed := failedAs(t, err)
			require.Equal(t, want, failed.Message())
			require.False(t, failed.NonRetryable())
			require.Equal(t, 30*time.Second, failed.NextRetryDelay())
		})
		t.Run("work directory, "+errno.Error(), func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(map[string]error{inputLink: &fetch.Error{Kind: fetch.Disk, Err: cause}})
			_, err := f.download(t, f.downloadInput())
			require.ErrorContains(t, err, step+", and the job continues by itself: download")
		})
		t.Run("receipt, "+errno.Error(), func(t *testing.T) {
			f := newFixture(t)
			f.stored.fail = cause
			_, err := f.ExecuteActivity(f.register(t).WriteReceipt, activities.ReceiptInput{TaskID: taskID})
			require.Equal(t, want, failedAs(t, err).Message())
		})
		t.Run("after the deadline, "+errno.Error(), func(t *testing.T) {
			f := newFixture(t)
			f.serveLinks(nil)
			f.stored.fail = cause
			input := f.downloadInput()
			input.Until = f.now
			_, err := f.download(t, input)
			require.Equal(t, "the deadline passed: "+cause.Error(), failedAs(t, err).Message(), "nothing continues")
		})
	}
}

// A stored file that matches its receipt is not downloaded again.
func TestDownloadFindsAStoredFile(t *testing.T) {
	const name = "luma_result_" + taskID + "_1.mp4"
	receipt := store.Receipt{TaskID: taskID, Files: []store.ReceiptFile{{Name: name, Bytes: 42, SHA256: "abc", Duration: "9.96s"}}}
	tests := []struct {
		name    string
		receipt store.Receipt
		stored  store.Source
		fetches int
	}{
		{"matching", receipt, store.Source{Bytes: 42, SHA256: "abc"}, 0},
		{"changed since", receipt, store.Source{Bytes: 42, SHA256: "changed"}, 1},
		{"of another task", store.Receipt{TaskID: "other", Files: receipt.Files}, store.Source{Bytes: 42, SHA256: "abc"}, 1},
		{"of fewer files", store.Receipt{TaskID: taskID}, store.Source{Bytes: 42, SHA256: "abc"}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			requested := f.serveLinks(nil)
			f.stored.videos[name] = test.stored
			f.stored.receipts["luma_result_"+taskID+".json"] = test.receipt
			downloaded, err := f.download(t, f.downloadInput())
			require.NoError(t, err)
			require.Len(t, *requested, test.fetches)
			require.Equal(t, int64(42), downloaded.Video.Bytes)
		})
	}
}

func TestDownloadStopsWithItsWorker(t *testing.T) {
	f := newFixture(t)
	stopping := make(chan struct{})
	close(stopping)
	f.SetWorkerStopChannel(stopping)
	f.options.Fetcher = stoppable{}
	_, err := f.download(t, f.downloadInput())
	require.False(t, failedAs(t, err).NonRetryable())
	require.Equal(t, "the worker drains; the next attempt resumes", failedAs(t, err).Message())
}

func TestReceipt(t *testing.T) {
	f := newFixture(t)
	acts := f.register(t)
	_, err := f.ExecuteActivity(acts.WriteReceipt, activities.ReceiptInput{
		TaskID: taskID, Name: "reel", Prompt: "p", SubmitAttempts: 2, WokenBy: "poll",
		Files:  []activities.Downloaded{{Name: "reel_1.mp4", URLHost: "cdn.example.org", Video: activities.Video{Bytes: 42, SHA256: "abc"}}},
		Source: &activities.KeptSource{Missing: "gone"},
	})
	require.NoError(t, err)
	receipt := f.stored.receipts["reel_luma_result_"+taskID+".json"]
	require.Equal(t, "default-test-workflow-id", receipt.Job)
	require.Equal(t, 2, receipt.SubmitAttempts)
	require.Equal(t, "abc", receipt.Files[0].SHA256)
	require.Equal(t, "gone", receipt.Source.Missing)
}
