package fetch_test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

func FuzzContentRange(f *testing.F) {
	for _, header := range []string{
		"bytes 0-99/1000", "bytes 5-9/*", "bytes */1000", "bytes 9-5/10", "bytes */*", "", "bytes",
		"bytes 0-9223372036854775807/9223372036854775807", "bytes -1--1/-1", "BYTES 0-0/1", "items 0-1/2",
	} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first, last, total, err := fetch.ParseContentRange(header)
		if err != nil {
			return
		}
		nothing := first == -1 && last == -1 && total >= 0
		something := first >= 0 && first <= last && last+1 > 0 && (total == -1 || last < total)
		if !nothing && !something {
			t.Errorf("%q gives %d-%d/%d", header, first, last, total)
		}
	})
}

// oddResponse is a response with arbitrary headers. Its body matches them as far
// as they are well-formed.
type oddResponse struct {
	status            int
	tag, contentRange string
	// missing is the number of bytes that the body lacks at its end, lengthError
	// the error of the Content-Length.
	missing     uint8
	lengthError int8
}

// rangePattern parses Content-Range independently of the code under test.
var rangePattern = regexp.MustCompile(`^(?i:bytes)\s+(\d{1,15})-(\d{1,15})/(?:\d+|\*)$`)

// serve responds with the version of the file that belongs to the ETag.
func (o oddResponse) serve(old, current []byte) http.HandlerFunc {
	body := current
	if strings.TrimSpace(o.tag) == etag {
		body = old
	}
	if found := rangePattern.FindStringSubmatch(strings.TrimSpace(o.contentRange)); found != nil && o.status == http.StatusPartialContent {
		first, _ := strconv.Atoi(found[1])
		last, _ := strconv.Atoi(found[2])
		first = min(first, len(body))
		body = body[first:max(first, min(last+1, len(body)))]
	}
	length := len(body) + int(o.lengthError)
	body = body[:max(0, len(body)-int(o.missing))]
	return raw("HTTP/1.1 %d Status\r\nConnection: close\r\nETag: %s\r\nContent-Range: %s\r\nContent-Length: %d\r\n\r\n%s",
		o.status, o.tag, o.contentRange, max(0, length), body)
}

// No response to a resumed download yields a mixture of two files or a part of one,
// or prevents the next attempt.
func FuzzDownload(f *testing.F) {
	old, current := video(3000, 1), video(3000, 2)
	statuses := []int{200, 206, 206, 206, 416, 204, 304, 403, 500, 203}
	for _, header := range []string{"bytes 1000-2999/3000", "bytes 900-2999/*", "bytes 900-2899/3000", "bytes 0-1999/3000", "bytes 1100-2999/3000", "bytes 1000-1999/2000", "bytes */1000", "bytes */3000", "bytes 9-8/7", "bytes 1000-3999/*", "bytes 0-2999/*", ""} {
		for status := range statuses {
			f.Add(true, true, uint16(999), uint8(status), etag, header, uint8(0), int8(0))
			f.Add(true, false, uint16(999), uint8(status), `"v2"`, header, uint8(0), int8(0))
			f.Add(false, true, uint16(999), uint8(status), etag, header, uint8(3), int8(-3))
		}
	}
	f.Add(true, true, uint16(2999), uint8(1), etag, "bytes 2999-2999/3000", uint8(0), int8(1))
	// declared is whether the first response has a length, unchanged whether the
	// file is the same after the odd response.
	f.Fuzz(func(t *testing.T, declared, unchanged bool, n uint16, status uint8, tag, contentRange string, missing uint8, lengthError int8) {
		if strings.ContainsAny(tag+contentRange, "\r\n") {
			t.Skip("a line break would start another header")
		}
		odd := oddResponse{statuses[int(status)%len(statuses)], tag, contentRange, missing, lengthError}
		received := 1 + int(n)%len(old)
		first := breakAfter(old, etag, received)
		if !declared {
			first = raw("HTTP/1.0 200 OK\r\nETag: %s\r\n\r\n%s", etag, old[:received])
		}
		last := compliant(current, `"v2"`)
		if unchanged {
			last = compliant(old, etag)
		}
		server := newOrigin(t, first, odd.serve(old, current), last)
		fetcher := newFetcher(t)
		var file *fetch.File
		for attempt := 1; file == nil; attempt++ {
			var err error
			file, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			if err != nil {
				require.Less(t, attempt, 4, "a compliant server must suffice: %v", err)
				require.NotEqual(t, fetch.Disk, fetch.KindOf(err), "%v", err)
			}
		}
		stored, err := os.ReadFile(file.Path)
		require.NoError(t, err)
		require.Contains(t, []string{sum(old), sum(current)}, sum(stored), "neither of the two files")
		require.Equal(t, fmt.Sprint(len(stored), sum(stored)), fmt.Sprint(file.Bytes, file.SHA256))
		require.NoError(t, file.Discard())
	})
}
