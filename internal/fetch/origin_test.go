package fetch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
	"lumaflow/test/mp4test"
)

const (
	key = "0123456789abcdef/1"
	// secret represents the signature of a link. No error may quote it.
	secret = "signature-of-the-link"
	etag   = `"v1"`
)

// video is a well-formed MP4 of exactly size bytes. Each seed gives different
// content of the same length.
func video(size int, seed uint64) []byte {
	movie := mp4test.Movie{Duration: 9960, Scale: 1000, Width: 1280, Height: 720, Frames: 249}
	movie.Media = make([]byte, size-len(movie.Bytes()))
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(movie.Media)
	return movie.Bytes()
}

func sum(data []byte) string {
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}

// origin is a file server that follows a script, one handler per request. The last
// one serves all further requests.
type origin struct {
	*httptest.Server
	mu       sync.Mutex
	script   []http.HandlerFunc
	requests []*http.Request
}

func newOrigin(t testing.TB, script ...http.HandlerFunc) *origin {
	o := &origin{script: script}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.requests = append(o.requests, r)
		serve := o.script[0]
		if len(o.script) > 1 {
			o.script = o.script[1:]
		}
		o.mu.Unlock()
		serve(w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *origin) link() string { return o.URL + "/result.mp4?sig=" + secret }

// ranges are the Range headers of the requests so far.
func (o *origin) ranges() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ranges []string
	for _, r := range o.requests {
		ranges = append(ranges, r.Header.Get("Range"))
	}
	return ranges
}

// compliant serves data with net/http, which supports Range and If-Range.
func compliant(data []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "video/mp4")
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}
}

// ignoringRange serves the whole of data to every request.
func ignoringRange(data []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data)
	}
}

// breakAfter declares the length of data and breaks the connection after n bytes.
func breakAfter(data []byte, tag string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// stallAfter declares the length of data and sends nothing after n bytes until the
// client disconnects.
func stallAfter(data []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:n])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

// chunked sends data without a declared length.
func chunked(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", etag)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(data)
	}
}

// partial sends data[from:to] as a 206 with the given Content-Range.
func partial(data []byte, tag, contentRange string, from, to int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		if contentRange != "" {
			w.Header().Set("Content-Range", contentRange)
		}
		w.WriteHeader(http.StatusPartialContent)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(data[from:to])
	}
}

// status responds with a code and pairs of header names and values.
func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte("sorry"))
	}
}

// raw writes a response without net/http and closes the connection.
func raw(format string, args ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		_, _ = fmt.Fprintf(buffered, format, args...)
		_ = buffered.Flush()
	}
}

// newTLSOrigin serves https with a certificate that is not trusted.
func newTLSOrigin(t *testing.T) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func newFetcher(t testing.TB, change ...func(*fetch.Options)) *fetch.Fetcher {
	t.Helper()
	options := fetch.Options{WorkDir: t.TempDir(), AllowPrivate: true, UserAgent: "lumaflow test"}
	for _, apply := range change {
		apply(&options)
	}
	fetcher, err := fetch.New(options)
	require.NoError(t, err)
	return fetcher
}
