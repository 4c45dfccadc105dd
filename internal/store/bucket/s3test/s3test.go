// Package s3test is an S3 server for tests: gofakes3, and in front of it what
// Amazon does and gofakes3 does not, and whatever a test wants to go wrong.
package s3test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

// Bucket is the bucket that every server has.
const Bucket = "films"

// Server speaks S3 over HTTP and keeps everything in memory. It compares what
// arrives with the SHA-256 that came with it. It ends with its test.
type Server struct {
	*httptest.Server
	t       testing.TB
	backend *s3mem.Backend
	speak   http.Handler

	mu       sync.Mutex
	requests []string
	before   Hook
}

// Hook sees a request before it is served. It may change or delay it, or answer
// it itself.
type Hook func(w http.ResponseWriter, r *http.Request) (answered bool)

// New starts a server.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, backend: s3mem.New()}
	require.NoError(t, s.backend.CreateBucket(Bucket))
	s.speak = gofakes3.New(s.backend).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		before := s.before
		s.mu.Unlock()
		if before == nil || !before(w, r) {
			s.Serve(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// OutputURL names the bucket, with further parameters.
func (s *Server) OutputURL(parameters ...string) string {
	return "s3://" + Bucket + "?" + strings.Join(append([]string{"endpoint=" + s.URL, "use_path_style=true", "region=us-east-1"}, parameters...), "&")
}

// Intercept shows all further requests to a hook.
func (s *Server) Intercept(before Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// InterceptPuts shows it those that write an object.
func (s *Server) InterceptPuts(before Hook) {
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPut && before(w, r)
	})
}

// Serve answers a request as it should be.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || intact(w, r) {
		s.speak.ServeHTTP(w, r)
	}
}

// intact reads a body and compares it. One that breaks off is for gofakes3.
func intact(w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
	if err != nil {
		return true
	}
	sum := sha256.Sum256(body)
	if signed := r.Header.Get("X-Amz-Content-Sha256"); len(signed) == 64 && signed != hex.EncodeToString(sum[:]) {
		Refuse(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch")
		return false
	}
	if claimed := r.Header.Get("X-Amz-Checksum-Sha256"); claimed != "" && claimed != base64.StdEncoding.EncodeToString(sum[:]) {
		Refuse(w, http.StatusBadRequest, "BadDigest")
		return false
	}
	return true
}

// broken reads nothing but an error, or the end.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, cmp.Or(b.err, io.EOF) }

// Refuse answers as S3 does.
func Refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s, said the test</Message></Error>", code, code)
}

// Asked are the requests since the last call that begin with a method.
func (s *Server) Asked(method string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.requests {
		if strings.HasPrefix(request, method) {
			found = append(found, request)
		}
	}
	s.requests = nil
	return found
}

// Stored are all objects, by key.
func (s *Server) Stored() map[string]string {
	s.t.Helper()
	list, err := s.backend.ListBucket(Bucket, nil, gofakes3.ListBucketPage{})
	require.NoError(s.t, err)
	all := map[string]string{}
	for _, object := range list.Contents {
		found, err := s.backend.GetObject(Bucket, object.Key, nil)
		require.NoError(s.t, err)
		content, err := io.ReadAll(found.Contents)
		require.NoError(s.t, err)
		require.NoError(s.t, found.Contents.Close())
		all[object.Key] = string(content)
	}
	return all
}

// Place puts an object there that nobody uploaded.
func (s *Server) Place(key, content string) {
	s.t.Helper()
	_, err := s.backend.PutObject(Bucket, key, map[string]string{}, strings.NewReader(content), int64(len(content)), nil)
	require.NoError(s.t, err)
}

// Remove takes one away.
func (s *Server) Remove(key string) {
	s.t.Helper()
	_, err := s.backend.DeleteObject(Bucket, key)
	require.NoError(s.t, err)
}

// NoMultipartUploads fails the test if somebody has begun a multipart upload and
// not ended it.
func (s *Server) NoMultipartUploads() {
	s.t.Helper()
	response, err := http.Get(s.URL + "/" + Bucket + "?uploads")
	require.NoError(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	if response.StatusCode == http.StatusNotFound {
		// That is how gofakes3 says that there never was one.
		require.Contains(s.t, string(text), "NoSuchUpload")
		return
	}
	require.Equal(s.t, http.StatusOK, response.StatusCode, string(text))
	require.NotContains(s.t, string(text), "<UploadId>")
}
