package activities_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"lumaflow/activities"
	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/store"
)

const (
	sourceLink = "https://clips.example.org/in.mp4?signature=secret"
	sourceFile = "reel_luma_source_" + taskID + ".mp4"
)

var sourceInput = activities.SourceInput{TaskID: taskID, Name: "reel", URL: sourceLink}

func (f *fixture) keepSource(t *testing.T) (activities.KeptSource, error) {
	t.Helper()
	acts := f.register(t)
	var kept activities.KeptSource
	value, err := f.ExecuteActivity(acts.KeepSource, sourceInput)
	if err == nil {
		require.NoError(t, value.Get(&kept))
	}
	return kept, err
}

func TestKeepSource(t *testing.T) {
	f := newFixture(t)
	var requested []fetch.Request
	f.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
		requested = append(requested, request)
		file := fetched()
		file.Video.Extension = ".mov"
		return file, nil
	})
	kept, err := f.keepSource(t)
	require.NoError(t, err)
	name := strings.TrimSuffix(sourceFile, ".mp4") + ".mov"
	require.Equal(t, &store.ReceiptFile{
		Name: name, Location: "file:///videos/" + name, URLHost: "cdn.example.org", ETag: `"v1"`, Bytes: 42, SHA256: "abc",
		Duration: "9.96s", Width: 1280, Height: 720,
	}, kept.ReceiptFile)
	require.Empty(t, kept.Missing)
	require.Len(t, requested, 1)
	require.Equal(t, sourceLink, requested[0].URL)
	require.True(t, requested[0].AVI)
	require.NotEqual(t, taskID+"/1", requested[0].Key, "the work file is not that of a result")
	require.Equal(t, "video/quicktime", f.stored.videos[name].ContentType)
	require.Equal(t, map[string]float64{"sources stored": 1}, f.measured.Values())
}

// A copy is kept whatever its sum is. Only bytes other than those of the local file are
// logged.
func TestKeepSourceComparesWithTheLocalFile(t *testing.T) {
	const differs = "the upload at kie.ai has other bytes than the local file"
	for sum, logged := range map[string]bool{"": false, "abc": false, "def": true} {
		f := newFixture(t)
		f.options.Fetcher = fetcher(func(fetch.Request) (*fetch.File, error) { return fetched(), nil })
		input := sourceInput
		input.SHA256 = sum
		value, err := f.ExecuteActivity(f.register(t).KeepSource, input)
		require.NoError(t, err)
		var kept activities.KeptSource
		require.NoError(t, value.Get(&kept))
		require.Equal(t, "abc", kept.SHA256)
		require.Equal(t, logged, strings.Contains(f.log.String(), differs), sum)
	}
}

// Each kind of failure is retried a bounded number of times. The end is no error.
func TestMissingSource(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		attempts int
		after    time.Duration
	}{
		{"gone", &fetch.Error{Kind: fetch.LinkDead, StatusCode: 404, Host: "clips.example.org"}, 3, 10 * time.Second},
		{"no video", &fetch.Error{Kind: fetch.Rejected, Err: errors.New("an HTML page came instead of a video")}, 3, 10 * time.Second},
		{"a private address", &fetch.Error{Kind: fetch.Forbidden, Err: errors.New("10.0.0.1 is not a public address")}, 1, 0},
		{"broken", &fetch.Error{Kind: fetch.Transient, Err: errors.New("the connection broke")}, 10, 0},
		{"rate-limited", &fetch.Error{Kind: fetch.Transient, RetryAfter: 7 * time.Second}, 10, 7 * time.Second},
		{"full", &fetch.Error{Kind: fetch.Disk, Err: errors.New("no space left on device")}, 10, 30 * time.Second},
		{"an error of no kind", errors.New("odd"), 10, 0},
	}
	for _, test := range tests {
		for failures := range test.attempts {
			f := newFixture(t)
			f.options.Fetcher = fetcher(func(fetch.Request) (*fetch.File, error) { return nil, test.err })
			f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: failures, Total: -1})
			kept, err := f.keepSource(t)
			if failures < test.attempts-1 {
				failed := failedAs(t, err)
				require.False(t, failed.NonRetryable(), test.name)
				require.Equal(t, test.after, failed.NextRetryDelay(), test.name)
				continue
			}
			require.NoError(t, err, test.name)
			require.Nil(t, kept.ReceiptFile)
			require.Equal(t, test.err.Error(), kept.Missing)
			require.Equal(t, map[string]float64{"sources missing": 1}, f.measured.Values())
			require.Contains(t, f.log.String(), "the source is not kept")
		}
	}
}

// New bytes are progress: only failures without any count.
func TestSourceProgressResetsTheCount(t *testing.T) {
	for _, test := range []struct {
		done  int64
		gives bool
	}{{60, false}, {50, true}} {
		f := newFixture(t)
		f.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
			request.Progress(test.done, 100)
			return nil, &fetch.Error{Kind: fetch.Transient, Err: errors.New("the connection broke")}
		})
		f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 9, Bytes: 50, Total: 100})
		kept, err := f.keepSource(t)
		require.Equal(t, test.gives, err == nil)
		require.Equal(t, test.gives, kept.Missing != "")
	}
}

func TestSourceOfAFailingStore(t *testing.T) {
	f := newFixture(t)
	f.options.Fetcher = fetcher(func(fetch.Request) (*fetch.File, error) { return fetched(), nil })
	f.stored.fail = errors.New(`store "v.mp4" in /videos: no space left on device`)
	_, err := f.keepSource(t)
	require.Equal(t, activities.StorageUnavailable, failedAs(t, err).Type())
	f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 9, Total: -1})
	kept, err := f.keepSource(t)
	require.NoError(t, err)
	require.Contains(t, kept.Missing, "no space left")
}

func TestMissingSourceIsOneShortLine(t *testing.T) {
	missing := activities.MissingSource("a\nb" + strings.Repeat("x", 1000)).Missing
	require.LessOrEqual(t, len(missing), 310)
	require.NotContains(t, missing, "\n")
}

// The copy of an earlier job is not downloaded again, even if the link is dead.
func TestKeepSourceFindsAStoredCopy(t *testing.T) {
	listed := &store.ReceiptSource{ReceiptFile: &store.ReceiptFile{Name: sourceFile, Bytes: 42, SHA256: "abc", Duration: "9.96s"}}
	tests := []struct {
		name    string
		receipt store.Receipt
		stored  store.Source
		fetches int
	}{
		{"matching", store.Receipt{TaskID: taskID, Source: listed}, store.Source{Bytes: 42, SHA256: "abc"}, 0},
		{"changed since", store.Receipt{TaskID: taskID, Source: listed}, store.Source{Bytes: 42, SHA256: "changed"}, 1},
		{"of another task", store.Receipt{TaskID: "other", Source: listed}, store.Source{Bytes: 42, SHA256: "abc"}, 1},
		{"not kept", store.Receipt{TaskID: taskID}, store.Source{}, 1},
		{"missing", store.Receipt{TaskID: taskID, Source: &store.ReceiptSource{Missing: "gone"}}, store.Source{}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			fetches := 0
			f.options.Fetcher = fetcher(func(fetch.Request) (*fetch.File, error) { fetches++; return fetched(), nil })
			f.stored.videos[sourceFile] = test.stored
			f.stored.receipts["reel_luma_result_"+taskID+".json"] = test.receipt
			kept, err := f.keepSource(t)
			require.NoError(t, err)
			require.Equal(t, test.fetches, fetches)
			require.Equal(t, "file:///videos/"+sourceFile, kept.Location)
		})
	}
}

// A run that ended before its receipt leaves a copy that no receipt lists. It is used
// once the link serves none any more, if it is a video.
func TestKeepSourceFindsAnUnlistedCopy(t *testing.T) {
	clip, err := os.ReadFile("../internal/media/testdata/clip.mov")
	require.NoError(t, err)
	gone := &fetch.Error{Kind: fetch.LinkDead, StatusCode: 404, Host: "clips.example.org"}
	movie := "reel_luma_source_" + taskID + ".mov"
	tests := []struct {
		name, file string
		content    []byte
		// listed is the copy in the receipt of an earlier job.
		listed *store.ReceiptSource
		kept   bool
	}{
		{"a video", movie, clip, nil, true},
		{"after a receipt without a copy", movie, clip, &store.ReceiptSource{Missing: "HTTP 404"}, true},
		{"cut off", movie, clip[:len(clip)/2], nil, false},
		{"of another name", "luma_source_" + taskID + ".mov", clip, nil, false},
		{"other bytes than listed", movie, clip, &store.ReceiptSource{ReceiptFile: &store.ReceiptFile{
			Name: movie, Bytes: 42, SHA256: strings.Repeat("5a", 32),
		}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			folder := t.TempDir()
			f.options.Store, err = store.Open(t.Context(), folder)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, test.file), test.content, 0o600))
			if test.listed != nil {
				_, err := f.options.Store.PutReceipt(t.Context(), store.ReceiptName("reel", taskID), store.Receipt{TaskID: taskID, Source: test.listed})
				require.NoError(t, err)
			}
			f.options.Fetcher = fetcher(func(fetch.Request) (*fetch.File, error) { return nil, gone })
			f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 2, Total: -1})
			kept, err := f.keepSource(t)
			require.NoError(t, err)
			if !test.kept {
				require.Nil(t, kept.ReceiptFile)
				require.Equal(t, gone.Error(), kept.Missing)
				return
			}
			sum := sha256.Sum256(clip)
			require.Equal(t, &store.ReceiptFile{
				Name: movie, Location: "file://" + filepath.Join(folder, movie), Bytes: int64(len(clip)), SHA256: hex.EncodeToString(sum[:]),
				Duration: "1.2s", Width: 160, Height: 90,
			}, kept.ReceiptFile)
			require.Empty(t, kept.Missing)
			require.Equal(t, map[string]float64{"sources already-stored": 1}, f.measured.Values())
		})
	}
}

func TestKeepSourceStopsWithItsWorker(t *testing.T) {
	f := newFixture(t)
	stopping := make(chan struct{})
	close(stopping)
	f.SetWorkerStopChannel(stopping)
	f.options.Fetcher = stoppable{}
	f.SetHeartbeatDetails(activities.DownloadProgress{Rejections: 9, Total: -1})
	_, err := f.keepSource(t)
	require.Equal(t, "the worker drains; the next attempt resumes", failedAs(t, err).Message())
}

// A cancelled copy ends as missing, with the progress that it had.
func TestKeepSourceCancelled(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	f.options.Fetcher = fetcher(func(request fetch.Request) (*fetch.File, error) {
		request.Progress(3_000_000, 9_000_000)
		cancel()
		return nil, &fetch.Error{Kind: fetch.Transient, Err: context.Canceled}
	})
	kept, err := f.keepSource(t)
	require.NoError(t, err)
	require.Equal(t, "it was not complete in time, after 3.0 MB of 9.0 MB", kept.Missing)
}

// Only a job of this release, whose input has Facts, gets the setting: jobs
// that lumaflow v0.1 began replay without.
func TestKeepSourceSetting(t *testing.T) {
	for _, keep := range []bool{true, false} {
		for _, facts := range []bool{true, false} {
			f := newFixture(t)
			f.options.KeepSource = keep
			f.setRecord(kie.Record{Prompt: "p"}, nil)
			value, err := f.ExecuteActivity(f.register(t).Identify, activities.IdentifyInput{TaskID: taskID, Facts: facts})
			require.NoError(t, err)
			var identified activities.Identified
			require.NoError(t, value.Get(&identified))
			require.Equal(t, keep && facts, identified.Settings.KeepSource)
		}
	}
}

// A job without KEEP_SOURCE leaves the copy of an earlier job listed.
func TestReceiptKeepsAnEarlierSource(t *testing.T) {
	earlier := &store.ReceiptSource{ReceiptFile: &store.ReceiptFile{Name: sourceFile, Bytes: 42, SHA256: "abc"}}
	for name, test := range map[string]struct {
		receipt store.Receipt
		source  *activities.KeptSource
		want    *store.ReceiptSource
	}{
		"none since":        {store.Receipt{TaskID: taskID, Source: earlier}, nil, earlier},
		"another since":     {store.Receipt{TaskID: taskID, Source: earlier}, &activities.KeptSource{Missing: "gone"}, &store.ReceiptSource{Missing: "gone"}},
		"of another task":   {store.Receipt{TaskID: "other", Source: earlier}, nil, nil},
		"without a receipt": {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			receipt := store.ReceiptName("reel", taskID)
			if test.receipt.TaskID != "" {
				f.stored.receipts[receipt] = test.receipt
			}
			_, err := f.ExecuteActivity(f.register(t).WriteReceipt, activities.ReceiptInput{TaskID: taskID, Name: "reel", Source: test.source})
			require.NoError(t, err)
			require.Equal(t, test.want, f.stored.receipts[receipt].Source)
		})
	}
}
