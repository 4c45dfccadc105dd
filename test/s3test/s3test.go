// Package s3test is an S3 server for tests: gofakes3 with the checks of SHA-256
// sums that it lacks, and with hooks for faults.
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
	"testing/iotest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

// Bucket is the bucket that every server has.
const Bucket = "films"

// Server serves S3 over HTTP from memory until the end of its test. It compares
// each body with the SHA-256 in its header.
type Server struct {
	*httptest.Server
	t       testing.TB
	backend *s3mem.Backend
	s3      http.Handler

	mu       sync.Mutex
	requests []string
	before   Hook
	lag      int
	late     func(*http.Request) bool
	shown    snapshot
	accepted int
}

// Hook is called with each request before it is served. It may change, delay or
// answer the request.
type Hook func(w http.ResponseWriter, r *http.Request) (answered bool)

// New starts a server.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, backend: s3mem.New()}
	require.NoError(t, s.backend.CreateBucket(Bucket))
	s.s3 = gofakes3.New(s.backend).Server()
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

// OutputURL is the URL of the bucket, with further parameters.
func (s *Server) OutputURL(parameters ...string) string {
	return "s3://" + Bucket + "?" + strings.Join(append([]string{"endpoint=" + s.URL, "use_path_style=true", "region=us-east-1"}, parameters...), "&")
}

// Intercept sets the hook of all further requests.
func (s *Server) Intercept(before Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// InterceptPuts sets the hook of all further requests that write an object.
func (s *Server) InterceptPuts(before Hook) {
	s.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == http.MethodPut && before(w, r)
	})
}

// Serve serves a request without the hook.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request) {
	if old := s.outdated(r); old != nil {
		old.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodPut {
		s.s3.ServeHTTP(w, r)
		return
	}
	if !intact(w, r) {
		return
	}
	s.keep()
	answer := &status{ResponseWriter: w}
	s.s3.ServeHTTP(answer, r)
	if answer.code < http.StatusMultipleChoices {
		s.mu.Lock()
		s.accepted++
		s.mu.Unlock()
	}
}

// status keeps the status of an answer; zero means 200.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// intact reads the body and compares it with the SHA-256 in its header. gofakes3
// handles an incomplete body.
func intact(w http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), iotest.ErrReader(cmp.Or(err, io.EOF))))
	if err != nil {
		return true
	}
	sum := sha256.Sum256(body)
	if signed := r.Header.Get("X-Amz-Content-Sha256"); len(signed) == 64 && signed != hex.EncodeToString(sum[:]) {
		WriteError(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch")
		return false
	}
	if claimed := r.Header.Get("X-Amz-Checksum-Sha256"); claimed != "" && claimed != base64.StdEncoding.EncodeToString(sum[:]) {
		WriteError(w, http.StatusBadRequest, "BadDigest")
		return false
	}
	return true
}

// WriteError writes an error in S3's format.
func WriteError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s of the test</Message></Error>", code, code)
}

// Requests returns the requests of a method since the last call.
func (s *Server) Requests(method string) (found []string) {
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

// Objects returns all objects, by key.
func (s *Server) Objects() map[string]string {
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

// PutObject stores an object without an upload.
func (s *Server) PutObject(key, content string) {
	s.t.Helper()
	_, err := s.backend.PutObject(Bucket, key, map[string]string{}, strings.NewReader(content), int64(len(content)), nil)
	require.NoError(s.t, err)
}

// Remove deletes an object.
func (s *Server) Remove(key string) {
	s.t.Helper()
	_, err := s.backend.DeleteObject(Bucket, key)
	require.NoError(s.t, err)
}

// NoMultipartUploads fails the test if there is an unfinished multipart upload.
func (s *Server) NoMultipartUploads() {
	s.t.Helper()
	response, err := http.Get(s.URL + "/" + Bucket + "?uploads")
	require.NoError(s.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	if response.StatusCode == http.StatusNotFound {
		// The answer of gofakes3 if there has been no multipart upload.
		require.Contains(s.t, string(text), "NoSuchUpload")
		return
	}
	require.Equal(s.t, http.StatusOK, response.StatusCode, string(text))
	require.NotContains(s.t, string(text), "<UploadId>")
}
