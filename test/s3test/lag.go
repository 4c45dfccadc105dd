package s3test

import (
	"io"
	"net/http"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

// snapshot is the state of the bucket before a write.
type snapshot struct {
	s3 http.Handler
	// reads is the number of further requests that it answers.
	reads int
}

// Lag makes the server lag: after each write, as many requests as reads, of those that
// late selects, get the state before the write. The conditions of writes apply to the
// real state.
func (s *Server) Lag(reads int, late func(*http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lag, s.late = reads, late
}

// Accepted is the number of writes that the server has accepted.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// keep takes the snapshot for the reads after a write. Writes while the server lags
// keep the older one.
func (s *Server) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag == 0 || s.shown.reads > 0 {
		return
	}
	s.shown = snapshot{s3: gofakes3.New(s.copied()).Server(), reads: s.lag}
}

// outdated returns the handler of the snapshot if it answers the request, else nil.
func (s *Server) outdated(r *http.Request) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown.reads == 0 || r.Method == http.MethodPut || !s.late(r) {
		return nil
	}
	s.shown.reads--
	return s.shown.s3
}

// copied returns a copy of the objects.
func (s *Server) copied() *s3mem.Backend {
	s.t.Helper()
	backend := s3mem.New()
	require.NoError(s.t, backend.CreateBucket(Bucket))
	list, err := s.backend.ListBucket(Bucket, nil, gofakes3.ListBucketPage{})
	require.NoError(s.t, err)
	for _, object := range list.Contents {
		found, err := s.backend.GetObject(Bucket, object.Key, nil)
		require.NoError(s.t, err)
		_, err = backend.PutObject(Bucket, object.Key, found.Metadata, found.Contents, found.Size, nil)
		require.NoError(s.t, err)
		require.NoError(s.t, found.Contents.(io.Closer).Close())
	}
	return backend
}
