package bucket_test

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

// films is the bucket that every server of the tests has.
const films = "films"

// s3Server speaks S3. Unlike gofakes3, behind it, it compares what arrives with
// the SHA-256 that came with it, as Amazon does.
type s3Server struct {
	*httptest.Server
	t       testing.TB
	backend *s3mem.Backend
	speak   http.Handler

	mu       sync.Mutex
	requests []string
	before   func(w http.ResponseWriter, r *http.Request) (answered bool)
}

func newS3(t testing.TB) *s3Server {
	t.Helper()
	s := &s3Server{t: t, backend: s3mem.New()}
	require.NoError(t, s.backend.CreateBucket(films))
	s.speak = gofakes3.New(s.backend).Server()
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
		before := s.before
		s.mu.Unlock()
		if before == nil || !before(w, r) {
			s.serve(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *s3Server) serve(w http.ResponseWriter, r *http.Request) {
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
		refuse(w, http.StatusBadRequest, "XAmzContentSHA256Mismatch")
		return false
	}
	if claimed := r.Header.Get("X-Amz-Checksum-Sha256"); claimed != "" && claimed != base64.StdEncoding.EncodeToString(sum[:]) {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return false
	}
	return true
}

// broken reads nothing but an error, or the end.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, cmp.Or(b.err, io.EOF) }

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s, said the test</Message></Error>", code, code)
}

// url is an OUTPUT_URL.
func (s *s3Server) url(parameters ...string) string {
	return "s3://" + films + "?" + strings.Join(append([]string{"endpoint=" + s.URL, "use_path_style=true", "region=us-east-1"}, parameters...), "&")
}

// intercept looks at each request before it is served; it may answer itself.
func (s *s3Server) intercept(before func(w http.ResponseWriter, r *http.Request) (answered bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// asked are the requests since the last call, those with a prefix.
func (s *s3Server) asked(prefix string) (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, request := range s.requests {
		if strings.HasPrefix(request, prefix) {
			found = append(found, request)
		}
	}
	s.requests = nil
	return found
}

// stored are all objects of the bucket, by key.
func (s *s3Server) stored() map[string]string {
	s.t.Helper()
	list, err := s.backend.ListBucket(films, nil, gofakes3.ListBucketPage{})
	require.NoError(s.t, err)
	all := map[string]string{}
	for _, object := range list.Contents {
		found, err := s.backend.GetObject(films, object.Key, nil)
		require.NoError(s.t, err)
		content, err := io.ReadAll(found.Contents)
		require.NoError(s.t, err)
		require.NoError(s.t, found.Contents.Close())
		all[object.Key] = string(content)
	}
	return all
}

// place puts an object behind lumaflow's back.
func (s *s3Server) place(key, content string, metadata map[string]string) {
	s.t.Helper()
	if metadata == nil {
		metadata = map[string]string{}
	}
	_, err := s.backend.PutObject(films, key, metadata, strings.NewReader(content), int64(len(content)), nil)
	require.NoError(s.t, err)
}

// noMultipartUploads fails if somebody has begun one and not ended it.
func (s *s3Server) noMultipartUploads() {
	s.t.Helper()
	response, err := http.Get(s.URL + "/" + films + "?uploads")
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
