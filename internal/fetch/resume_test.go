package fetch_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// A first attempt receives n bytes. Whatever the server does in the second, the
// file must be right in the end.
func TestResume(t *testing.T) {
	t.Parallel()
	const size, n = 900_000, 400_000
	data, other, shorter := video(size, 1), video(size, 2), video(size-1000, 3)
	from := fmt.Sprintf("bytes=%d-", n)
	span := func(first, last, total int) string { return fmt.Sprintf("bytes %d-%d/%d", first, last, total) }
	tests := []struct {
		name   string
		first  http.HandlerFunc
		script []http.HandlerFunc
		ranges []string // requested by the second attempt
		want   []byte
		kind   fetch.Kind // of the second attempt
		next   string     // Range of the third attempt, if the second fails
	}{
		{"compliant server", nil, steps(compliant(data, etag)), []string{from}, data, 0, ""},
		{"no range support", nil, steps(ignoringRange(data, etag)), []string{from}, data, 0, ""},
		{"changed file", nil, steps(compliant(other, `"v2"`)), []string{from}, other, 0, ""},
		{"changed file, now without ETag", nil, steps(ignoringRange(other, "")), []string{from}, other, 0, ""},
		{"weak ETag at first", breakAfter(data, `W/"v1"`, n), steps(compliant(data, etag)), []string{""}, data, 0, ""},
		{"no ETag at first", breakAfter(data, "", n), steps(compliant(data, etag)), []string{""}, data, 0, ""},

		{"range starts earlier", nil, steps(partial(data, etag, span(n-100_000, size-1, size), n-100_000, size)), []string{from}, data, 0, ""},
		{"range starts at zero", nil, steps(partial(data, etag, span(0, size-1, size), 0, size)), []string{from}, data, 0, ""},
		{"total not declared", nil, steps(partial(data, etag, fmt.Sprintf("bytes %d-%d/*", n, size-1), n, size)), []string{from}, data, 0, ""},
		{"range starts later", nil, steps(partial(data, etag, span(n+1, size-1, size), n+1, size), compliant(data, etag)), []string{from, ""}, data, 0, ""},
		{"206 of a changed file", nil, steps(partial(other, `"v2"`, span(n, size-1, size), n, size), compliant(other, `"v2"`)), []string{from, ""}, other, 0, ""},
		{"206 without ETag", nil, steps(partial(other, "", span(n, size-1, size), n, size), compliant(other, `"v2"`)), []string{from, ""}, other, 0, ""},
		{"206 with a weak ETag", nil, steps(partial(other, `W/"v1"`, span(n, size-1, size), n, size), compliant(other, `"v2"`)), []string{from, ""}, other, 0, ""},
		{"206 of another length", nil, steps(partial(shorter, etag, span(n, size-1001, size-1000), n, size-1000), compliant(shorter, etag)), []string{from, ""}, shorter, 0, ""},
		{"206 without Content-Range", nil, steps(partial(data, etag, "", n, size), compliant(data, etag)), []string{from, ""}, data, 0, ""},
		{"206 with a malformed Content-Range", nil, steps(partial(data, etag, "bytes 9-8/7", n, size), compliant(data, etag)), []string{from, ""}, data, 0, ""},
		{"206 past the end", nil, steps(partial(data, etag, fmt.Sprintf("bytes %d-%d/*", n, size), n, size), compliant(data, etag)), []string{from, ""}, data, 0, ""},
		{"206 with another body length", nil, steps(withHeader(partial(data, etag, span(n, size-1, size), n, size-9), "Content-Length", strconv.Itoa(size-9-n)), compliant(data, etag)), []string{from, ""}, data, 0, ""},
		{"206 without Content-Range, twice", nil, steps(partial(data, etag, "", n, size)), []string{from, ""}, data, fetch.Transient, ""},
		{"416, file shorter", nil, steps(status(416, "Content-Range", fmt.Sprintf("bytes */%d", len(shorter))), compliant(shorter, etag)), []string{from, ""}, shorter, 0, ""},
		{"416 without Content-Range", nil, steps(status(416), compliant(data, etag)), []string{from, ""}, data, 0, ""},
		{"416 of the partial length", nil, steps(status(416, "Content-Range", fmt.Sprintf("bytes */%d", n)), compliant(data, etag)), []string{from, ""}, data, 0, ""},

		{"shorter range than requested", nil, steps(partial(data, etag, span(n, n+9, size), n, n+10)), []string{from}, data, fetch.Transient, fmt.Sprintf("bytes=%d-", n+10)},
		{"early end", nil, steps(partial(data, etag, span(n, size-1, size), n, size-1)), []string{from}, data, fetch.Transient, fmt.Sprintf("bytes=%d-", size-1)},
		{"more bytes than declared", nil, steps(partial(data, etag, span(n, n+9, size), n, n+20)), []string{from}, data, fetch.Rejected, ""},
		{"web page instead", nil, steps(withHeader(ignoringRange([]byte("<html>"), ""), "Content-Type", "text/html")), []string{from}, data, fetch.Rejected, from},
		{"link dead", nil, steps(status(403)), []string{from}, data, fetch.LinkDead, from},
		{"second reset", nil, steps(breakAfter(data, etag, 10)), []string{from}, data, fetch.Transient, "bytes=10-"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.first == nil {
				test.first = breakAfter(data, etag, n)
			}
			server := newOrigin(t, append(steps(test.first), test.script...)...)
			fetcher := newFetcher(t)
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.Equal(t, fetch.Transient, fetch.KindOf(err), "%v", err)

			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			assert.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
			assert.Equal(t, test.ranges, server.ranges()[1:])
			if test.kind != 0 {
				assertClean(t, err)
				// A third attempt with another link recovers.
				final := newOrigin(t, compliant(test.want, etag))
				file, err = fetcher.Fetch(t.Context(), fetch.Request{URL: final.link() + "&new=1", Key: key})
				assert.Equal(t, test.next, final.ranges()[0])
			}
			require.NoError(t, err)
			assert.Equal(t, sum(test.want), file.SHA256)
			stored, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			assert.Equal(t, sum(test.want), sum(stored))
			require.NoError(t, file.Close())
		})
	}
}

func TestPartialSurvivesADeadLink(t *testing.T) {
	t.Parallel()
	data := video(900_000, 1)
	old := newOrigin(t, breakAfter(data, etag, 400_000), status(403))
	fetcher := newFetcher(t)
	for range 2 {
		_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: old.link(), Key: key})
		require.Error(t, err)
	}
	minted := newOrigin(t, compliant(data, etag))
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: minted.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"bytes=400000-"}, minted.ranges())
	assert.Equal(t, etag, minted.requests[0].Header.Get("If-Range"))
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Close())
}

// A length that the first response does not declare comes from the first range.
func TestUndeclaredLength(t *testing.T) {
	t.Parallel()
	data := video(900_000, 1)
	server := newOrigin(t,
		raw("HTTP/1.0 200 OK\r\nETag: %s\r\n\r\n%s", etag, data[:400_000]),
		partial(data, etag, "bytes 400000-899999/900000", 400_000, 500_000),
		compliant(data, etag))
	fetcher := newFetcher(t)
	var totals []int64
	attempt := func() (*fetch.File, error) {
		totals = nil
		return fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key, Progress: func(_, total int64) {
			if len(totals) == 0 || totals[len(totals)-1] != total {
				totals = append(totals, total)
			}
		}})
	}
	_, err := attempt()
	require.Equal(t, fetch.Transient, fetch.KindOf(err), "%v", err)
	assert.Equal(t, []int64{-1}, totals)
	_, err = attempt()
	require.ErrorContains(t, err, "after 500000 of 900000 bytes")
	assert.Equal(t, []int64{-1, 900_000}, totals)
	file, err := attempt()
	require.NoError(t, err)
	assert.Equal(t, []int64{900_000}, totals)
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Discard())
}

// A complete file that was not published is fetched again unless the server proves
// that it is unchanged.
func TestFinishedFile(t *testing.T) {
	t.Parallel()
	data, other, shorter := video(900_000, 1), video(900_000, 2), video(500_000, 3)
	all := "bytes=899999-"
	tests := []struct {
		name   string
		first  http.HandlerFunc
		next   []http.HandlerFunc
		ranges []string
		want   []byte
	}{
		{"same file", compliant(data, etag), steps(compliant(data, etag)), []string{all}, data},
		{"same file, of unknown length at first", chunked(data), steps(compliant(data, etag)), []string{"bytes=900000-"}, data},
		{"other file", compliant(data, etag), steps(compliant(other, `"v2"`)), []string{all}, other},
		{"other, shorter file", compliant(data, etag), steps(compliant(shorter, `"v2"`)), []string{all}, shorter},
		{"416 of another length, unknown at first", chunked(data), steps(status(416, "Content-Range", "bytes */9"), compliant(other, etag)), []string{"bytes=900000-", ""}, other},
		{"range support withdrawn", compliant(data, etag), steps(ignoringRange(data, etag)), []string{all}, data},
		{"416 of the same length", compliant(data, etag), steps(status(416, "Content-Range", "bytes */900000")), []string{all}, data},
		{"416 of another length", compliant(data, etag), steps(status(416, "Content-Range", "bytes */9"), compliant(other, etag)), []string{all, ""}, other},
		{"no ETag", compliant(data, ""), steps(compliant(data, "")), []string{""}, data},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			fetcher := newFetcher(t)
			first := newOrigin(t, test.first)
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: first.link(), Key: key})
			require.NoError(t, err)
			require.NoError(t, file.Close())

			second := newOrigin(t, test.next...)
			var last int64
			file, err = fetcher.Fetch(t.Context(), fetch.Request{URL: second.link(), Key: key, Progress: func(done, _ int64) { last = done }})
			require.NoError(t, err)
			assert.Equal(t, test.ranges, second.ranges())
			assert.Equal(t, sum(test.want), file.SHA256)
			assert.EqualValues(t, len(test.want), file.Bytes)
			stored, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			assert.Equal(t, sum(test.want), sum(stored))
			assert.EqualValues(t, len(test.want), last, "progress reports the end, also if nothing was missing")
			require.NoError(t, file.Discard())
		})
	}
}

// A work file is verified before it is resumed.
func TestCorruptPartial(t *testing.T) {
	t.Parallel()
	data := video(3*fetch.CheckpointEvery, 1)
	sent := fetch.CheckpointEvery + 1000
	bytes, state := fetch.WorkFiles(key)
	from := fmt.Sprintf("bytes=%d-", sent)
	edit := func(name string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, change(content), 0o600))
		}
	}
	replace := func(old, by string) func([]byte) []byte {
		return func(content []byte) []byte {
			if !strings.Contains(string(content), old) {
				panic("no " + old + " in " + string(content))
			}
			return []byte(strings.Replace(string(content), old, by, 1))
		}
	}
	tests := []struct {
		name    string
		corrupt func(t *testing.T, dir string)
		request string // Range of the second attempt
	}{
		{"nothing", func(*testing.T, string) {}, from},
		{"bytes after the checkpoint", edit(bytes, func(b []byte) []byte { return append(b, "garbage"...) }), from},
		{"more bytes than the file has", edit(bytes, func(b []byte) []byte { return append(b, make([]byte, 2*len(data))...) }), from},
		{"an unfinished checkpoint", func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, state+".new"), []byte(`{"vers`), 0o600))
		}, from},
		{"a flipped bit", edit(bytes, func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), ""},
		{"a hole, as after a power failure", edit(bytes, func(b []byte) []byte { clear(b[len(b)-4096:]); return b }), ""},
		{"missing bytes", edit(bytes, func(b []byte) []byte { return b[:len(b)-1] }), ""},
		{"no bytes", func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, bytes))) }, ""},
		{"no checkpoint", func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, state))) }, ""},
		{"an empty checkpoint", edit(state, func([]byte) []byte { return nil }), ""},
		{"an oversized checkpoint", edit(state, func(b []byte) []byte { return append([]byte(strings.Repeat(" ", 1<<20)), b...) }), ""},
		{"a checkpoint of another version", edit(state, replace(`"version":1`, `"version":2`)), ""},
		{"a checkpoint without ETag", edit(state, replace(`"etag":"\"v1\""`, `"etag":""`)), ""},
		{"a checkpoint of negative bytes", edit(state, replace(`"bytes":`, `"bytes":-`)), ""},
		{"a checkpoint with another hash", edit(state, replace(`"sha256":"`, `"sha256":"0`)), ""},
		{"a checkpoint with too small a length", edit(state, replace(fmt.Sprintf(`"length":%d`, len(data)), `"length":1`)), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, breakAfter(data, etag, sent), compliant(data, etag))
			fetcher := newFetcher(t)
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.Error(t, err)
			test.corrupt(t, fetcher.WorkDir())
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.NoError(t, err)
			assert.Equal(t, test.request, server.ranges()[1])
			assert.Equal(t, sum(data), file.SHA256)
			stored, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			assert.Equal(t, sum(data), sum(stored))
			require.NoError(t, file.Discard())
			assert.NotContains(t, entries(t, fetcher.WorkDir()), bytes)
		})
	}
}

func steps(handlers ...http.HandlerFunc) []http.HandlerFunc { return handlers }
