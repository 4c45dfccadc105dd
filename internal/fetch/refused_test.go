package fetch_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// refusals are error statuses and the kind of failure that each is without a video.
var refusals = map[int]fetch.Kind{
	403: fetch.LinkDead, 404: fetch.LinkDead, 429: fetch.Transient, 503: fetch.Transient, 300: fetch.Rejected, 416: fetch.Rejected,
}

// The whole video is the file under every status.
func TestVideoUnderErrorStatus(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	bodies := map[string]struct {
		body   []byte
		header []string
	}{
		"video":                {data, nil},
		"video labelled HTML":  {data, []string{"Content-Type", "text/html"}},
		"video in gzip":        {gzipped(data), []string{"Content-Encoding", "gzip"}},
		"video, range of all":  {data, []string{"Content-Range", "bytes 0-299999/300000"}},
		"video, unsatisfiable": {data, []string{"Content-Range", "bytes */300000"}},
	}
	for code := range refusals {
		for name, body := range bodies {
			for _, chunked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d, %s, chunked %t", code, name, chunked), func(t *testing.T) {
					t.Parallel()
					serve := answer(code, body.body, chunked, body.header...)
					fetcher := newFetcher(t)
					file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: newOrigin(t, serve).link(), Key: key})
					require.NoError(t, err)
					assert.Equal(t, sum(data), file.SHA256)
					require.NoError(t, file.Discard())

					// The same answer to a request that resumes.
					server := newOrigin(t, breakAfter(data, etag, 100_000), serve)
					_, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
					require.Error(t, err)
					file, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
					require.NoError(t, err)
					assert.Equal(t, sum(data), file.SHA256)
					require.NoError(t, file.Discard())
					assert.Empty(t, entries(t, fetcher.WorkDir()))
				})
			}
		}
	}
}

// A body that does not open like a video leaves the decision to the status, and the bytes
// of an earlier attempt as they are.
func TestPageUnderErrorStatus(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	avi, err := os.ReadFile(filepath.Join("../media/testdata", "field/good.avi"))
	require.NoError(t, err)
	bodies := map[string][]byte{
		"HTML":          []byte("<!DOCTYPE html><title>Gone</title>" + strings.Repeat(" ", 9000)),
		"XML":           []byte("<?xml version=\"1.0\"?><Error><Code>ExpiredToken</Code></Error>"),
		"JSON":          []byte(`{"code":404,"msg":"gone"}`),
		"text":          []byte("Get free videos here"),
		"nothing":       nil,
		"few bytes":     data[:7],
		"AVI":           avi,
		"part":          data[1000:],
		"gzip of HTML":  gzipped([]byte("<html>gone</html>")),
		"broken gzip":   []byte("\x1f\x8b\x08\x02" + strings.Repeat("\x00", 30)),
		"error in JSON": append([]byte(`{"a":"`), data...),
	}
	for code, kind := range refusals {
		if code == http.StatusRequestedRangeNotSatisfiable {
			// It restarts a download that resumes.
			continue
		}
		for name, body := range bodies {
			t.Run(fmt.Sprintf("%d, %s", code, name), func(t *testing.T) {
				t.Parallel()
				fetcher := newFetcher(t)
				server := newOrigin(t, breakAfter(data, etag, 100_000), answer(code, body, false, "Content-Type", "video/mp4", "Retry-After", "17"), compliant(data, etag))
				_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.Error(t, err)
				_, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				failed := requireStatus(t, err, code, kind)
				require.NoError(t, failed.Err)
				file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.NoError(t, err)
				assert.Equal(t, "bytes=100000-", server.ranges()[2])
				assert.Equal(t, sum(data), file.SHA256)
				require.NoError(t, file.Discard())
			})
		}
	}
}

// A body that opens like a video and is none is the failure of its status. Nothing of it
// is kept.
func TestNoVideoUnderErrorStatus(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	fragments, err := os.ReadFile("../media/testdata/corpus/fragments-unfinished.mp4")
	require.NoError(t, err)
	total := fmt.Sprintf("bytes 0-%d/%d", len(fragments)-1, len(fragments)+1)
	large := video(2_000_000, 1)
	late := func(code int, body []byte, chunked bool, header ...string) http.HandlerFunc {
		return answer(code, body, chunked, append(header, "Retry-After", "17")...)
	}
	bodies := map[string]struct {
		serve func(code int) http.HandlerFunc
		text  string
	}{
		"cut off":         {func(code int) http.HandlerFunc { return late(code, data[:200_000], false) }, "cut off"},
		"cut off, chunks": {func(code int) http.HandlerFunc { return late(code, data[:200_000], true) }, "before the file did"},
		"no index": {func(code int) http.HandlerFunc {
			return late(code, append(bytes.Clone(data[:20]), make([]byte, 50)...), false)
		}, "no index"},
		"over the limit":          {func(code int) http.HandlerFunc { return late(code, large, true) }, "limit"},
		"declared over the limit": {func(code int) http.HandlerFunc { return late(code, large, false) }, "limit"},
		"part of fragments":       {func(code int) http.HandlerFunc { return late(code, fragments, false, "Content-Range", total) }, "connection ended"},
		"fragments without an end": {
			func(code int) http.HandlerFunc {
				return raw("HTTP/1.0 %d No\r\nRetry-After: 17\r\n\r\n%s", code, fragments)
			}, "before the file did",
		},
		"connection breaks": {
			func(code int) http.HandlerFunc {
				return raw("HTTP/1.1 %d No\r\nContent-Length: 300000\r\nETag: %s\r\nRetry-After: 17\r\n\r\n%s", code, etag, data[:100_000])
			}, "connection broke",
		},
	}
	for code, kind := range refusals {
		for name, body := range bodies {
			t.Run(fmt.Sprintf("%d, %s", code, name), func(t *testing.T) {
				t.Parallel()
				fetcher := newFetcher(t, func(o *fetch.Options) { o.MaxBytes = 1_000_000 })
				server := newOrigin(t, body.serve(code), compliant(data, etag))
				_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				failed := requireStatus(t, err, code, kind)
				require.ErrorContains(t, failed.Err, "its body opens like a video: ")
				require.ErrorContains(t, failed.Err, body.text)
				file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.NoError(t, err)
				assert.Equal(t, []string{"", ""}, server.ranges(), "the next attempt starts from the first byte")
				assert.Equal(t, sum(data), file.SHA256)
				require.NoError(t, file.Discard())
			})
		}
	}
}

// The first bytes of an error page must come within one stall timeout, in total.
func TestErrorPageThatStalls(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]time.Duration{"nothing": time.Hour, "a byte at a time": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			workDir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir, o.StallTimeout = workDir, 0 })
				servePipe(t, fetcher, func(connection net.Conn) {
					_, err := fmt.Fprintf(connection, "HTTP/1.1 403 No\r\nContent-Length: 100000\r\n\r\n")
					for err == nil {
						time.Sleep(pause)
						_, err = connection.Write([]byte("<"))
					}
				})
				start := time.Now()
				_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: "http://origin.test/result.mp4?sig=" + secret, Key: key})
				_ = requireStatus(t, err, http.StatusForbidden, fetch.LinkDead)
				assert.Equal(t, 30*time.Second, time.Since(start).Truncate(time.Second))
			})
		})
	}
}

// requireStatus checks the error of a response with an error status.
func requireStatus(t *testing.T, err error, code int, kind fetch.Kind) *fetch.Error {
	t.Helper()
	var failed *fetch.Error
	require.ErrorAs(t, err, &failed)
	require.Equal(t, kind, failed.Kind, "%v", err)
	require.Equal(t, code, failed.StatusCode, "%v", err)
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		assert.Equal(t, 17*time.Second, failed.RetryAfter)
	}
	assertClean(t, err)
	return failed
}
