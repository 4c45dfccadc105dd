package fetch_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// answer sends a body with a status, and with its length unless it is chunked, under
// pairs of header names and values.
func answer(code int, body []byte, chunked bool, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", etag)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		if !chunked {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}
}

func compress(data []byte, open func(io.Writer) io.WriteCloser) []byte {
	var coded bytes.Buffer
	writer := open(&coded)
	_, _ = writer.Write(data)
	_ = writer.Close()
	return coded.Bytes()
}

func gzipped(data []byte) []byte {
	return compress(data, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}

// A response with the bytes of a video is accepted under any status and header that do
// not contradict them.
func TestBytesDecide(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	zlibbed := compress(data, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	deflated := compress(data, func(w io.Writer) io.WriteCloser {
		writer, _ := flate.NewWriter(w, flate.DefaultCompression)
		return writer
	})
	tests := map[string]struct {
		code   int
		body   []byte
		header []string
	}{
		"text/plain":                  {200, data, []string{"Content-Type", "text/plain"}},
		"text/html":                   {200, data, []string{"Content-Type", "text/html; charset=utf-8"}},
		"application/json":            {200, data, []string{"Content-Type", "application/json"}},
		"image/jpeg":                  {200, data, []string{"Content-Type", "image/jpeg"}},
		"multipart":                   {200, data, []string{"Content-Type", "multipart/byteranges; boundary=x"}},
		"malformed type":              {200, data, []string{"Content-Type", ";;;"}},
		"aws-chunked":                 {200, data, []string{"Content-Encoding", "aws-chunked"}},
		"utf-8":                       {200, data, []string{"Content-Encoding", "utf-8"}},
		"binary":                      {200, data, []string{"Content-Encoding", "binary"}},
		"none":                        {200, data, []string{"Content-Encoding", "none, identity"}},
		"gzip, but plain":             {200, data, []string{"Content-Encoding", "gzip"}},
		"deflate, but plain":          {200, data, []string{"Content-Encoding", "deflate"}},
		"br, but plain":               {200, data, []string{"Content-Encoding", "br"}},
		"gzip":                        {200, gzipped(data), []string{"Content-Encoding", "gzip", "Content-Type", "text/plain"}},
		"gzip without a label":        {200, gzipped(data), nil},
		"gzip behind aws-chunked":     {200, gzipped(data), []string{"Content-Encoding", "aws-chunked,gzip"}},
		"deflate":                     {200, zlibbed, []string{"Content-Encoding", "deflate"}},
		"deflate, no header":          {200, deflated, []string{"Content-Encoding", "deflate"}},
		"201":                         {201, data, nil},
		"203":                         {203, data, nil},
		"206":                         {206, data, nil},
		"206, gzip":                   {206, gzipped(data), []string{"Content-Encoding", "gzip"}},
		"206 of all":                  {206, data, []string{"Content-Range", "bytes 0-299999/300000"}},
		"206 of all, total unknown":   {206, data, []string{"Content-Range", "bytes 0-299999/*"}},
		"206 of all, wrong last":      {206, data, []string{"Content-Range", "bytes 0-299998/300000"}},
		"206 of all, smaller total":   {206, data, []string{"Content-Range", "bytes 0-299/300"}},
		"206 of all, wrong first":     {206, data, []string{"Content-Range", "bytes 9-299999/300000"}},
		"206 of all, malformed range": {206, data, []string{"Content-Range", "bytes 9-8/7"}},
		"206 of all, unsatisfied":     {206, data, []string{"Content-Range", "bytes */300000"}},
		"200 of a range":              {200, data, []string{"Content-Range", "bytes 0-299999/300000"}},
		"200 of a wrong range":        {200, data, []string{"Content-Range", "bytes 100-299999/300000"}},
		"200 of another unit":         {200, data, []string{"Content-Range", "items 0-1/2"}},
	}
	for name, test := range tests {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, chunked %t", name, chunked), func(t *testing.T) {
				t.Parallel()
				serve := answer(test.code, test.body, chunked, test.header...)
				fetcher := newFetcher(t)
				server := newOrigin(t, serve)
				file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.NoError(t, err)
				assert.Equal(t, sum(data), file.SHA256)
				assert.EqualValues(t, len(data), file.Bytes)
				assert.Equal(t, etag, file.ETag)
				require.NoError(t, file.Close())
				assert.Len(t, server.ranges(), 1)

				// The same answer to a request that resumes.
				server = newOrigin(t, breakAfter(data, etag, 100_000), serve)
				fetcher = newFetcher(t)
				_, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.Error(t, err)
				file, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.NoError(t, err)
				assert.Equal(t, sum(data), file.SHA256)
				require.NoError(t, file.Discard())
			})
		}
	}
}

// A response that is no video is named, and the bytes of an earlier attempt stay.
func TestInsteadOfVideo(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	page := "<!DOCTYPE html>\n<html><head><TITLE lang=en>\n Access\n denied &amp; logged </title>" + strings.Repeat(" ", 9000)
	tests := map[string]struct {
		body   string
		header []string
		text   string
	}{
		"HTML":                 {page, []string{"Content-Type", "text/html"}, `HTTP 200 OK: an HTML page titled "Access denied & logged" came instead of a video`},
		"HTML, labelled video": {page, []string{"Content-Type", "video/mp4"}, `an HTML page titled "Access denied & logged"`},
		"HTML, compressed":     {string(gzipped([]byte(page))), []string{"Content-Encoding", "gzip"}, `an HTML page titled "Access denied & logged"`},
		"HTML without a title": {"<html><body>sorry", nil, "an HTML page came"},
		"title with the link":  {"<html><title>403: GET /result.mp4?sig=" + secret + " " + secret + "-" + secret + " x</title>", nil, `titled "403: GET … … x"`},
		"long title":           {"<html><title>" + strings.Repeat("é ", 300) + "</title>", nil, "é…\" came"},
		"title that no text":   {"<html><title>\xff\xfe</title>", nil, "an HTML page came"},
		"XML":                  {"<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>", []string{"Content-Type", "video/mp4"}, "an XML document came"},
		"JSON":                 {"\n{\"code\":404,\"msg\":\"gone\"}", []string{"Content-Type", "application/octet-stream"}, "a JSON document came"},
		"text":                 {"no such file", nil, "plain text came"},
		"text like an atom":    {"Get free videos here", nil, "plain text came"},
		"image":                {"\x89PNG\r\n\x1a\n\x00\x00", []string{"Content-Type", "video/mp4"}, "an image (image/png) came"},
		"PDF":                  {"%PDF-1.7\n\x00", nil, "a file of the type application/pdf came"},
		"malformed gzip":       {"\x1f\x8b\x08\x02" + strings.Repeat("\x00", 30), []string{"Content-Encoding", "gzip"}, "its gzip coding is malformed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fetcher := newFetcher(t)
			server := newOrigin(t, breakAfter(data, etag, 100_000), answer(200, []byte(test.body), false, test.header...), compliant(data, etag))
			for _, kind := range []fetch.Kind{fetch.Transient, fetch.Rejected} {
				_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				require.Equal(t, kind, fetch.KindOf(err), "%v", err)
				assertClean(t, err)
				if kind == fetch.Rejected {
					require.ErrorContains(t, err, test.text)
				}
			}
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.NoError(t, err)
			assert.Equal(t, "bytes=100000-", server.ranges()[2])
			assert.Equal(t, sum(data), file.SHA256)
			require.NoError(t, file.Discard())
		})
	}
}

// Bytes that can't be recognized are verified, and their labels named.
func TestLabelsOfRejectedBytes(t *testing.T) {
	t.Parallel()
	unknown := bytes.Repeat([]byte("\x01\x02\x03\xf0"), 1000)
	for name, test := range map[string]struct {
		header []string
		text   string
	}{
		"brotli":   {[]string{"Content-Type", "text/html; charset=utf-8", "Content-Encoding", "br"}, "; the server labels it text/html, br"},
		"zip":      {[]string{"Content-Type", "application/x-lzip"}, "; the server labels it application/x-lzip"},
		"hostile":  {[]string{"Content-Type", "x/y z; a=" + secret, "Content-Encoding", secret}, ""},
		"video":    {[]string{"Content-Type", "video/mp4", "Content-Encoding", "aws-chunked"}, ""},
		"no label": {[]string{"Content-Type", "application/octet-stream"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, answer(200, unknown, false, test.header...))
			_, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			assert.Equal(t, fetch.Rejected, fetch.KindOf(err), "%v", err)
			require.Error(t, err)
			assert.True(t, strings.HasSuffix(err.Error(), test.text), err.Error())
			assert.Equal(t, test.text != "", strings.Contains(err.Error(), "labels"))
			assertClean(t, err)
		})
	}
}

// No byte of a compressed or a foreign range enters the file.
func TestRangesThatMayBeForeign(t *testing.T) {
	t.Parallel()
	const size, n = 300_000, 100_000
	data := video(size, 1)
	span := fmt.Sprintf("bytes %d-%d/%d", n, size-1, size)
	page := append([]byte("<html>"), bytes.Repeat([]byte(" "), size-n-6)...)
	for name, odd := range map[string]http.HandlerFunc{
		"labelled gzip":     answer(206, data[n:], false, "Content-Range", span, "Content-Encoding", "gzip"),
		"labelled br":       answer(206, data[n:], false, "Content-Range", span, "Content-Encoding", "aws-chunked, br"),
		"a web page":        answer(206, page, false, "Content-Range", span, "Content-Type", "text/html"),
		"compressed":        answer(206, gzipped(data[n:]), true, "Content-Range", span),
		"200, labelled br":  answer(200, data[n:], false, "Content-Range", span, "Content-Encoding", "br"),
		"200, other length": answer(206, data[n:], false, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, size-2, size-1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, breakAfter(data, etag, n), odd, compliant(data, etag))
			fetcher := newFetcher(t)
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.Error(t, err)
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.NoError(t, err)
			assert.Equal(t, []string{"", "bytes=100000-", ""}, server.ranges())
			assert.Equal(t, sum(data), file.SHA256)
			require.NoError(t, file.Discard())
		})
	}
	t.Run("part under 200", func(t *testing.T) {
		t.Parallel()
		server := newOrigin(t, breakAfter(data, etag, n), answer(200, data[n:], false, "Content-Range", span, "Content-Encoding", "utf-8", "Content-Type", "text/plain"))
		fetcher := newFetcher(t)
		_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		require.Error(t, err)
		file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		require.NoError(t, err)
		assert.Equal(t, []string{"", "bytes=100000-"}, server.ranges())
		assert.Equal(t, sum(data), file.SHA256)
		require.NoError(t, file.Discard())
	})
}

// A compressed file is not resumed: its lengths and ranges are those of other bytes.
func TestCompressedBreak(t *testing.T) {
	t.Parallel()
	data := video(300_000, 1)
	coded := gzipped(data)
	server := newOrigin(t, withHeader(breakAfter(coded, etag, len(coded)/2), "Content-Encoding", "gzip"),
		answer(200, coded[:len(coded)-20], true, "Content-Encoding", "gzip"),
		compliant(data, etag))
	fetcher := newFetcher(t)
	for range 2 {
		_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		require.Equal(t, fetch.Transient, fetch.KindOf(err), "%v", err)
	}
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"", "", ""}, server.ranges())
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Discard())
}

func TestCompressedBombs(t *testing.T) {
	t.Parallel()
	// A file with zeros at its end.
	bomb := gzipped(append(video(10_000, 1), make([]byte, 100<<20)...))
	flipped := bytes.Clone(gzipped(video(300_000, 1)))
	flipped[len(flipped)-7] ^= 1
	for name, test := range map[string]struct {
		body []byte
		max  int64
		text string
	}{
		"over the limit":      {bomb, 1 << 20, "over the limit of 1048576 bytes"},
		"below the limit":     {bomb, 0, "expands more than 100 times"},
		"zeros":               {gzipped(make([]byte, 100<<20)), 0, "expands more than 100 times"},
		"with a wrong digest": {flipped, 0, "its gzip coding is malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var most int64
			fetcher := newFetcher(t, func(o *fetch.Options) { o.MaxBytes = test.max })
			server := newOrigin(t, answer(200, test.body, false))
			_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key, Progress: func(done, _ int64) { most = max(most, done) }})
			require.Equal(t, fetch.Rejected, fetch.KindOf(err), "%v", err)
			require.ErrorContains(t, err, test.text)
			assert.Less(t, most, int64(66<<20))
		})
	}
}
