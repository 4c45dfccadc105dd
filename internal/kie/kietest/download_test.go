package kietest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"lumaflow/internal/kie/kietest"
)

func TestResultsAreUniquePlayableVideos(t *testing.T) {
	kie := start(t, kietest.Options{})
	seen := map[string]string{}
	layouts := map[string]bool{}
	for n := range 12 {
		charge := kie.finished(t, fields{"prompt": fmt.Sprintf("take %d [results: 2]", n), "videoUrl": source})
		require.Len(t, charge.Results, 2)
		for _, result := range charge.Results {
			got := kie.get(t, result.URL)
			requireWhole(t, result, got)
			require.Equal(t, "video/mp4", got.header.Get("Content-Type"))
			require.NotContains(t, seen, result.SHA256, "two results have the same bytes")
			seen[result.SHA256] = result.URL
			layout := kinds(boxes(t, got.body))
			require.Contains(t, []string{"ftyp moov free mdat free ", "ftyp free mdat moov free "}, layout)
			require.Contains(t, string(got.body[len(got.body)-100:]), charge.TaskID)
			layouts[layout] = true
		}
	}
	require.Len(t, layouts, 2, "results with the index in front and at the end")
}

func TestResultsPlayWithoutWarnings(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("ffmpeg is not on PATH")
	}
	kie := start(t, kietest.Options{})
	for n := range 6 {
		for _, marker := range []string{"", "[size: 1MB]"} {
			charge := kie.finished(t, fields{"prompt": fmt.Sprint(marker, n), "videoUrl": source})
			file := filepath.Join(t.TempDir(), "result.mp4")
			require.NoError(t, os.WriteFile(file, kie.get(t, charge.Results[0].URL).body, 0o600))
			output, err := exec.CommandContext(t.Context(), ffmpeg, "-nostdin", "-v", "warning", "-i", file, "-f", "null", "-").CombinedOutput()
			require.NoError(t, err)
			require.Empty(t, string(output))
		}
	}
}

func TestLargeResultIsStreamed(t *testing.T) {
	kie := start(t, kietest.Options{})
	const size = 200_000_000
	charge := kie.finished(t, fields{"prompt": "long [size: 200MB]", "videoUrl": source})
	require.EqualValues(t, size, charge.Results[0].Bytes)

	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, charge.Results[0].URL, nil)
	require.NoError(t, err)
	answer, err := kie.client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, answer.Body)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
	require.Equal(t, charge.Results[0].SHA256, hex.EncodeToString(hash.Sum(nil)))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/10), "the video was held in memory")
}

func TestSizeMarkerSetsTheExactSize(t *testing.T) {
	kie := start(t, kietest.Options{})
	for marker, size := range map[string]int64{
		"[size: 300000]": 300_000, "[size:1MB]": 1_000_000, "[size: 1 MiB]": 1 << 20, "[size: 555KB]": 555_000,
	} {
		charge := kie.finished(t, fields{"prompt": marker, "videoUrl": source})
		require.Equal(t, size, charge.Results[0].Bytes, marker)
		got := kie.get(t, charge.Results[0].URL)
		requireWhole(t, charge.Results[0], got)
		require.Regexp(t, "^ftyp .*moov .*mdat free $", kinds(boxes(t, got.body)))
	}
}

func TestSizeBelowTheClipIsIgnored(t *testing.T) {
	kie := start(t, kietest.Options{})
	charge := kie.finished(t, fields{"prompt": "[size: 10B]", "videoUrl": source})
	requireWhole(t, charge.Results[0], kie.get(t, charge.Results[0].URL))
	require.Greater(t, charge.Results[0].Bytes, int64(50_000))
}

func TestDownloadRanges(t *testing.T) {
	kie := start(t, kietest.Options{})
	result := kie.finished(t, fields{"prompt": "snow", "videoUrl": source}).Results[0]
	full := kie.get(t, result.URL)
	requireWhole(t, result, full)
	etag := full.header.Get("ETag")
	require.Regexp(t, `^"[0-9a-f]{32}"$`, etag)
	require.Equal(t, "bytes", full.header.Get("Accept-Ranges"))
	size := len(full.body)

	for name, tc := range map[string]struct {
		header       []string
		status       int
		contentRange string
		from, to     int
	}{
		"from the middle":    {[]string{"Range", "bytes=1000-"}, 206, fmt.Sprintf("bytes 1000-%d/%d", size-1, size), 1000, size},
		"a slice":            {[]string{"Range", "bytes=5-9"}, 206, fmt.Sprintf("bytes 5-9/%d", size), 5, 10},
		"the end":            {[]string{"Range", "bytes=-7"}, 206, fmt.Sprintf("bytes %d-%d/%d", size-7, size-1, size), size - 7, size},
		"same ETag":          {[]string{"Range", "bytes=1000-", "If-Range", etag}, 206, fmt.Sprintf("bytes 1000-%d/%d", size-1, size), 1000, size},
		"other ETag":         {[]string{"Range", "bytes=1000-", "If-Range", `"other"`}, 200, "", 0, size},
		"after the end":      {[]string{"Range", fmt.Sprintf("bytes=%d-", size)}, 416, fmt.Sprintf("bytes */%d", size), 0, 0},
		"same If-None-Match": {[]string{"If-None-Match", etag}, 304, "", 0, 0},
		"invalid unit":       {[]string{"Range", "lines=1-"}, 416, "", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := kie.get(t, result.URL, tc.header...)
			require.NoError(t, got.err)
			require.Equal(t, tc.status, got.status)
			require.Equal(t, tc.contentRange, got.header.Get("Content-Range"))
			if tc.to > 0 {
				require.Equal(t, full.body[tc.from:tc.to], got.body)
			}
		})
	}

	head := kie.fetch(t, http.MethodHead, result.URL)
	require.Equal(t, http.StatusOK, head.status)
	require.Equal(t, strconv.Itoa(size), head.header.Get("Content-Length"))
	require.Equal(t, etag, head.header.Get("ETag"))
	require.Empty(t, head.body)
}

func TestRangesArePartsOfTheWhole(t *testing.T) {
	kie := start(t, kietest.Options{})
	result := kie.finished(t, fields{"prompt": "[size: 400KB]", "videoUrl": source}).Results[0]
	full := kie.get(t, result.URL)
	requireWhole(t, result, full)
	rapid.Check(t, func(rt *rapid.T) {
		from := rapid.IntRange(0, len(full.body)-1).Draw(rt, "from")
		to := rapid.IntRange(from, len(full.body)-1).Draw(rt, "to")
		got := kie.get(t, result.URL, "Range", fmt.Sprintf("bytes=%d-%d", from, to))
		if got.status != http.StatusPartialContent || sum(got.body) != sum(full.body[from:to+1]) {
			rt.Fatalf("bytes %d-%d: status %d, %d bytes that differ", from, to, got.status, len(got.body))
		}
	})
}

func TestDownloadURLsAreSignedAndExpire(t *testing.T) {
	clock := newFakeClock()
	kie := start(t, kietest.Options{Now: clock.now})
	result := kie.finished(t, fields{"prompt": "snow", "videoUrl": source}).Results[0]

	link := kie.downloadURL(t, result.URL)
	require.NotEqual(t, result.URL, link)
	requireWhole(t, result, kie.get(t, link))
	address, err := url.Parse(link)
	require.NoError(t, err)
	require.NotEmpty(t, address.Query().Get("signature"))
	address.RawQuery = "signature=guessed"
	require.Equal(t, http.StatusForbidden, kie.get(t, address.String()).status)
	address.RawQuery = ""
	require.Equal(t, http.StatusForbidden, kie.get(t, address.String()).status)

	clock.advance(20*time.Minute + time.Second)
	require.Equal(t, http.StatusForbidden, kie.get(t, link).status)
	requireWhole(t, result, kie.get(t, kie.downloadURL(t, link)))
	require.Equal(t, 2, kie.Ledger().Mints)
}

func TestDownloadURLRefusesForeignFiles(t *testing.T) {
	kie := start(t, kietest.Options{})
	result := kie.finished(t, fields{"prompt": "snow", "videoUrl": source}).Results[0]
	address, err := url.Parse(result.URL)
	require.NoError(t, err)
	for _, foreign := range []string{
		"", "nonsense", "https://cdn.example.org/x.mp4", "https://evil.example" + address.Path, kie.url + "/l/unknown.mp4", "%zz",
	} {
		require.Equal(t, 422, kie.postDownloadURL(t, foreign).Code, foreign)
	}
	require.Zero(t, kie.Ledger().Mints)
}

func TestLinksBeginWithTheBaseURL(t *testing.T) {
	kie := start(t, kietest.Options{BaseURL: "https://kie.example/sim/"})
	result := kie.finished(t, fields{"prompt": "snow", "videoUrl": source}).Results[0]
	require.Regexp(t, `^https://kie\.example/sim/l/[0-9a-f]{32}\.mp4$`, result.URL)
	require.Regexp(t, `^https://kie\.example/sim/m/`, kie.downloadURL(t, result.URL))
}

// A stock clip can be fetched as the source of a task, whole and in parts.
func TestSourceClip(t *testing.T) {
	kie := start(t, kietest.Options{})
	whole := kie.get(t, kie.url+kietest.SourcePath)
	require.Equal(t, http.StatusOK, whole.status)
	require.Equal(t, "ftyp", string(whole.body[4:8]))
	require.NotEmpty(t, whole.header.Get("ETag"))
	require.Equal(t, http.StatusNotFound, kie.get(t, kie.url+"/clips/other.mp4").status)
}
