package fetch_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
	"lumaflow/internal/media"
)

func TestFetch(t *testing.T) {
	t.Parallel()
	data := video(700_000, 1)
	server := newOrigin(t, compliant(data, etag))
	var last, total int64
	file, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key, Progress: func(d, n int64) {
		assert.Greater(t, d, last)
		last, total = d, n
	}})
	require.NoError(t, err)
	assert.EqualValues(t, len(data), last)
	assert.EqualValues(t, len(data), total)

	assert.Equal(t, strings.TrimPrefix(server.URL, "http://"), file.Host)
	assert.EqualValues(t, len(data), file.Bytes)
	assert.Equal(t, sum(data), file.SHA256)
	assert.Equal(t, etag, file.ETag)
	assert.Equal(t, media.Video{Duration: 9960 * time.Millisecond, Frame: 40 * time.Millisecond, Width: 1280, Height: 720, Extension: ".mp4"}, file.Video)
	stored, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	assert.Equal(t, sum(data), sum(stored))

	sent := server.requests[0]
	assert.Equal(t, "identity", sent.Header.Get("Accept-Encoding"))
	assert.Equal(t, "lumaflow test", sent.UserAgent())
	for _, header := range []string{"Authorization", "Cookie", "Referer", "Range", "If-Range"} {
		assert.Empty(t, sent.Header.Values(header), header)
	}

	require.NoError(t, file.Discard())
	require.NoError(t, file.Discard())
	require.NoError(t, file.Close())
	assert.Empty(t, entries(t, filepath.Dir(file.Path)))
}

// Each test is one response and the result of the attempt.
func TestResponses(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	soon := func() string { return time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat) }
	tests := []struct {
		name  string
		serve http.HandlerFunc
		kind  fetch.Kind // 0 is success
		text  string
	}{
		{"whole file", compliant(data, etag), 0, ""},
		{"no ETag", compliant(data, ""), 0, ""},
		{"weak ETag", ignoringRange(data, `W/"v1"`), 0, ""},
		{"malformed ETag", ignoringRange(data, `v1"`), 0, ""},
		{"no length", chunked(data), 0, ""},
		{"no framing", raw("HTTP/1.0 200 OK\r\n\r\n%s", data), 0, ""},
		{"octet stream", withHeader(compliant(data, etag), "Content-Type", "application/octet-stream"), 0, ""},
		{"identity coding", withHeader(ignoringRange(data, etag), "Content-Encoding", "identity"), 0, ""},

		{"204", status(204), fetch.Rejected, "HTTP 204"},
		{"304", status(304), fetch.Rejected, "HTTP 304"},
		{"400", status(400), fetch.LinkDead, "HTTP 400 Bad Request"},
		{"401", status(401), fetch.LinkDead, "HTTP 401"},
		{"403", status(403), fetch.LinkDead, "HTTP 403 Forbidden"},
		{"404", status(404), fetch.LinkDead, "HTTP 404"},
		{"410", status(410), fetch.LinkDead, "HTTP 410"},
		{"408", status(408), fetch.Transient, "HTTP 408"},
		{"416", status(416), fetch.Rejected, "HTTP 416"},
		{"418", status(418), fetch.Rejected, "HTTP 418"},
		{"429", status(429), fetch.Transient, "HTTP 429"},
		{"500", status(500), fetch.Transient, "HTTP 500"},
		{"503", status(503, "Retry-After", soon()), fetch.Transient, "HTTP 503"},
		{"599", status(599), fetch.Transient, "HTTP 599"},
		{"redirect without a target", status(302), fetch.Transient, "no usable target"},
		{"redirect to a malformed URL", status(302, "Location", "http://[::1?"+secret), fetch.Transient, "no usable target"},
		{"206 of another part", partial(data, etag, "bytes 1000-299999/300000", 1000, 300_000), fetch.Transient, "not requested"},
		{"206 of nothing", partial(data, etag, "bytes 0-299999/300000", 0, 0), fetch.Transient, "after 0 of 300000 bytes"},
		{"202 without the file", status(202), fetch.Rejected, "HTTP 202 Accepted: plain text came instead of a video"},

		{"empty", ignoringRange(nil, etag), fetch.Rejected, "empty"},
		{"truncated file of the declared length", ignoringRange(data[:200_000], etag), fetch.Rejected, "cut off"},
		{"declared length over the limit", raw("HTTP/1.1 200 OK\r\nContent-Length: 1125899906842624\r\n\r\n"), fetch.Rejected, "limit"},
		{"undeclared length over the limit", chunked(video(2_000_000, 1)), fetch.Rejected, "limit"},

		{"reset", breakAfter(data, etag, 100_000), fetch.Transient, "connection broke"},
		{"cut off without framing", raw("HTTP/1.0 200 OK\r\n\r\n%s", data[:150_000]), fetch.Transient, "before the file did"},
		{"not HTTP", raw("%s %s\r\n\r\n", secret, secret), fetch.Transient, "broke the HTTP protocol"},
		{"malformed status", raw("HTTP/1.1 %s\r\n\r\n", secret), fetch.Transient, "broke the HTTP protocol"},
		{"malformed header", raw("HTTP/1.1 200 OK\r\n%s\r\n\r\n", secret), fetch.Transient, "broke the HTTP protocol"},
		{"malformed length", raw("HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", secret), fetch.Transient, "broke the HTTP protocol"},
		{"malformed chunks", raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n", secret), fetch.Transient, "broke"},
		{"oversized header", raw("HTTP/1.1 200 OK\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20)), fetch.Transient, ""},
		{"closed without a response", raw(""), fetch.Transient, "connection broke"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, test.serve)
			fetcher := newFetcher(t, func(o *fetch.Options) { o.MaxBytes = 1_000_000 })
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			assert.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
			if test.kind == 0 {
				require.NoError(t, err)
				assert.Equal(t, sum(data), file.SHA256)
				require.NoError(t, file.Close())
				return
			}
			assert.Nil(t, file)
			require.ErrorContains(t, err, test.text)
			assertClean(t, err)
			var failed *fetch.Error
			require.ErrorAs(t, err, &failed)
			assert.NotEmpty(t, failed.Host)
			// The failed attempt has released its lock.
			next := newOrigin(t, compliant(data, etag))
			file, err = fetcher.Fetch(t.Context(), fetch.Request{URL: next.link(), Key: key})
			require.NoError(t, err)
			assert.Equal(t, sum(data), file.SHA256)
			require.NoError(t, file.Discard())
			assert.Empty(t, entries(t, fetcher.WorkDir()))
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, header string
		least, most  time.Duration
	}{
		{"none", "", 0, 0},
		{"seconds", "17", 17 * time.Second, 17 * time.Second},
		{"date", time.Now().Add(9 * time.Minute).UTC().Format(http.TimeFormat), time.Second, 9 * time.Minute},
		{"past", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), 0, 0},
		{"over the limit", "999999999", 10 * time.Minute, 10 * time.Minute},
		{"overflow", "99999999999999999999", 0, 0},
		{"malformed", "soon", 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, status(503, "Retry-After", test.header))
			_, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			var failed *fetch.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, 503, failed.StatusCode)
			assert.GreaterOrEqual(t, failed.RetryAfter, test.least)
			assert.LessOrEqual(t, failed.RetryAfter, test.most)
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	data := video(3*fetch.CheckpointEvery, 1)
	server := newOrigin(t, stallAfter(data, 2_000_000), compliant(data, etag))
	fetcher := newFetcher(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := fetcher.Fetch(ctx, fetch.Request{URL: server.link(), Key: key, Progress: func(done, _ int64) {
		if done == 2_000_000 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, fetch.Transient, fetch.KindOf(err))

	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err = fetcher.Fetch(ctx, fetch.Request{URL: server.link(), Key: key})
	require.ErrorIs(t, err, context.Canceled)

	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	ranges := server.ranges()
	assert.Equal(t, "bytes=2000000-", ranges[len(ranges)-1], "a canceled attempt keeps all received bytes")
	require.NoError(t, file.Close())
}

// The cause of a cancellation is not an error of the server.
func TestCancelWithCause(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	server := newOrigin(t, stallAfter(data, 1000))
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := newFetcher(t).Fetch(ctx, fetch.Request{URL: server.link(), Key: key, Progress: func(int64, int64) {
		cancel(errors.New("the worker stops"))
	}})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, fetch.Transient, fetch.KindOf(err))
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := newOrigin(t, status(200))
	link := server.link()
	server.Close()
	_, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: link, Key: key})
	assert.Equal(t, fetch.Transient, fetch.KindOf(err))
	require.ErrorContains(t, err, "refused")
	assertClean(t, err)
}

func TestDiskFailure(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	server := newOrigin(t, compliant(data, etag))
	bytes, state := fetch.WorkFiles(key)
	tests := map[string]func(t *testing.T, dir string){
		"work directory is a file": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
		},
		"a folder in place of the bytes": func(t *testing.T, dir string) {
			require.NoError(t, os.Mkdir(filepath.Join(dir, bytes), 0o700))
		},
		"a folder in place of the checkpoint": func(t *testing.T, dir string) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, state, "x"), 0o700))
		},
		"a link out of the folder": func(t *testing.T, dir string) {
			require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), filepath.Join(dir, bytes)))
		},
	}
	for name, corrupt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fetcher := newFetcher(t)
			corrupt(t, fetcher.WorkDir())
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.Error(t, err)
			assert.Equal(t, fetch.Disk, fetch.KindOf(err), "%v", err)
			assertClean(t, err)
		})
	}
}

// A work directory that was removed after New is created again.
func TestWorkDirRemoved(t *testing.T) {
	t.Parallel()
	data := video(100_000, 1)
	server := newOrigin(t, compliant(data, etag))
	fetcher := newFetcher(t)
	require.NoError(t, os.RemoveAll(fetcher.WorkDir()))
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	require.NoError(t, file.Discard())
}

// assertClean checks that no error of the chain holds more of a link than its host:
// any of them may reach a log or a history.
func assertClean(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = unwrap(err) {
		assert.NotContains(t, err.Error(), secret)
		assert.NotContains(t, err.Error(), "result.mp4")
		assert.NotContains(t, err.Error(), "\n")
	}
}

func unwrap(err error) error {
	if one, ok := err.(interface{ Unwrap() error }); ok {
		return one.Unwrap()
	}
	return nil
}

func withHeader(serve http.HandlerFunc, name, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		serve(headerWriter{w, name, value}, r)
	}
}

// headerWriter sets a header immediately before it is written.
type headerWriter struct {
	http.ResponseWriter
	name, value string
}

func (w headerWriter) WriteHeader(code int) {
	w.Header().Set(w.name, w.value)
	w.ResponseWriter.WriteHeader(code)
}

func (w headerWriter) Write(p []byte) (int, error) {
	w.Header().Set(w.name, w.value)
	return w.ResponseWriter.Write(p)
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}
