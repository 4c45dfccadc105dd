package bucket_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store/bucket"
	"lumaflow/test/s3test"
)

// once is a hook for the first request only.
func once(act s3test.Hook) s3test.Hook {
	var acted atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) bool {
		return acted.CompareAndSwap(false, true) && act(w, r)
	}
}

// One request writes a video of any size, so that no parts can be left behind.
func TestOneRequestPerWrite(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	put := source(t, bytes.Repeat([]byte("video"), 8<<20))
	_, err := open(t, server.OutputURL()).PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"HEAD /films/" + name,
		"HEAD /films/" + name,
		"PUT /films/" + name + "?x-id=PutObject",
		"HEAD /films/" + name,
	}, server.Requests(""))
	server.NoMultipartUploads()
	server.Requests("")

	_, err = open(t, server.OutputURL()).PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	assert.Equal(t, []string{"HEAD /films/" + name}, server.Requests(""), "a stored video is not sent again")

	// Without a checksum of the store, the SHA-256 in the metadata counts.
	byMD5 := open(t, server.OutputURL("request_checksum_calculation=when_required"))
	_, err = byMD5.PutVideo(t.Context(), "other.mp4", put)
	require.NoError(t, err)
	server.Requests("")
	_, same, err := byMD5.Matches(t.Context(), "other.mp4", put.Bytes, put.SHA256)
	require.NoError(t, err)
	assert.True(t, same)
	assert.Equal(t, []string{"HEAD /films/other.mp4"}, server.Requests(""), "it is not read")
}

func TestConcurrentWrite(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		before string
		meddle func(server *s3test.Server, w http.ResponseWriter) (answered bool)
		puts   int
	}{
		"with the same video": {
			meddle: func(server *s3test.Server, _ http.ResponseWriter) bool {
				server.PutObject(name, "video")
				return false
			},
			puts: 1,
		},
		"with another video": {
			meddle: func(server *s3test.Server, _ http.ResponseWriter) bool {
				server.PutObject(name, "older")
				return false
			},
			puts: 2,
		},
		"over the video that was to be replaced": {
			before: "older",
			meddle: func(server *s3test.Server, _ http.ResponseWriter) bool {
				server.PutObject(name, "newer")
				return false
			},
			puts: 2,
		},
		"and takes away what was to be replaced": {
			before: "older",
			meddle: func(server *s3test.Server, w http.ResponseWriter) bool {
				server.Remove(name)
				s3test.WriteError(w, http.StatusNotFound, "NoSuchKey")
				return true
			},
			puts: 2,
		},
		"and has not ended": {
			meddle: func(_ *s3test.Server, w http.ResponseWriter) bool {
				s3test.WriteError(w, http.StatusConflict, "ConditionalRequestConflict")
				return true
			},
			puts: 2,
		},
	}
	for when, test := range tests {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server := s3test.New(t)
			if test.before != "" {
				server.PutObject(name, test.before)
			}
			server.InterceptPuts(once(func(w http.ResponseWriter, _ *http.Request) bool { return test.meddle(server, w) }))
			_, err := impatient(t, server.OutputURL()).PutVideo(t.Context(), name, source(t, []byte("video")))
			require.NoError(t, err)
			assert.Len(t, server.Requests("PUT"), test.puts)
			assert.Equal(t, map[string]string{name: "video"}, server.Objects())
		})
	}
}

func TestConcurrentWriteInEveryRound(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	var others atomic.Int32
	server.InterceptPuts(func(http.ResponseWriter, *http.Request) bool {
		server.PutObject(name, strings.Repeat("x", int(others.Add(1))))
		return false
	})
	_, err := open(t, server.OutputURL()).PutVideo(t.Context(), name, source(t, []byte("a longer video")))
	require.ErrorContains(t, err, "another program writes it too")
	assert.Less(t, others.Load(), int32(10))
}

// Some compatible stores do not support conditional writes.
func TestStoreWithoutConditions(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.InterceptPuts(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("If-None-Match")+r.Header.Get("If-Match") == "" {
			return false
		}
		s3test.WriteError(w, http.StatusNotImplemented, "NotImplemented")
		return true
	})
	opened := open(t, server.OutputURL())
	require.NoError(t, opened.Check(t.Context()))
	for _, content := range []string{"video", "another"} {
		_, err := opened.PutVideo(t.Context(), name, source(t, []byte(content)))
		require.NoError(t, err)
		assert.Equal(t, map[string]string{name: content}, server.Objects())
	}
}

// unproven removes the checksums from an object's attributes, like S3 for objects
// that it encrypts with KMS and that were uploaded without a checksum.
func unproven(server *s3test.Server) s3test.Hook {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodHead {
			return false
		}
		answer := httptest.NewRecorder()
		server.Serve(answer, r)
		if answer.Code == http.StatusOK {
			w.Header().Set("Content-Length", answer.Header().Get("Content-Length"))
			w.Header().Set("ETag", strings.Replace(answer.Header().Get("ETag"), `"`, `"0`, 1))
		}
		w.WriteHeader(answer.Code)
		return true
	}
}

func TestStoreWithoutChecksums(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.Intercept(unproven(server))
	opened := open(t, server.OutputURL())
	put := source(t, bytes.Repeat([]byte("video"), 100_000))
	_, err := opened.PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	assert.Len(t, server.Requests("GET"), 1, "the object is read back")
	_, same, err := opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
	require.NoError(t, err)
	assert.True(t, same)
	_, same, err = opened.Matches(t.Context(), name, put.Bytes, strings.Repeat("0", 64))
	require.NoError(t, err)
	assert.False(t, same)
	assert.Len(t, server.Requests("GET"), 3, "two reads and one list of the bucket")
}

// With a SHA-256 that S3 computed over all bytes nothing is read back. A SHA-256
// over the checksums of parts is ignored.
func TestStoreWithChecksums(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		of, kind string
		stored   bool
		reads    int
	}{
		"of the video":      {"video", "FULL_OBJECT", true, 0},
		"of something else": {"vidEo", "FULL_OBJECT", false, 0},
		"of parts":          {"vidEo", "COMPOSITE", true, 1},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := s3test.New(t)
			sizeOnly := unproven(server)
			server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodHead {
					sum := sha256.Sum256([]byte(test.of))
					w.Header().Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(sum[:]))
					w.Header().Set("X-Amz-Checksum-Type", test.kind)
				}
				return sizeOnly(w, r)
			})
			opened := open(t, server.OutputURL())
			put := source(t, []byte("video"))
			_, err := opened.PutVideo(t.Context(), name, put)
			if test.stored {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "the store damages it")
			}
			assert.Len(t, server.Requests("GET"), test.reads)
			_, same, err := opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
			require.NoError(t, err)
			assert.Equal(t, test.stored, same)
		})
	}
}

// A video of another program has no SHA-256 in its metadata.
func TestVideoOfAnotherProgram(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	opened := open(t, server.OutputURL())
	server.PutObject(name, "video")
	put := source(t, []byte("video"))
	_, same, err := opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
	require.NoError(t, err)
	assert.True(t, same)
	server.PutObject(name, "vidEo")
	_, same, err = opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
	require.NoError(t, err)
	assert.False(t, same)
}

func TestDamagedByTheStore(t *testing.T) {
	t.Parallel()
	for how, proven := range map[string]bool{"and says so": true, "in silence": false} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			server := s3test.New(t)
			server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method == http.MethodPut {
					server.PutObject(name, "vidEo")
					w.WriteHeader(http.StatusOK)
					return true
				}
				return !proven && unproven(server)(w, r)
			})
			_, err := open(t, server.OutputURL()).PutVideo(t.Context(), name, source(t, []byte("video")))
			require.ErrorContains(t, err, "the store damages it")
		})
	}
}

// The store rejects a body whose bytes changed in transit.
func TestDamagedInTransit(t *testing.T) {
	t.Parallel()
	for _, parameter := range []string{"", "request_checksum_calculation=when_required"} {
		server := s3test.New(t)
		server.InterceptPuts(func(_ http.ResponseWriter, r *http.Request) bool {
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			body[len(body)/2] ^= 1
			r.Body = io.NopCloser(bytes.NewReader(body))
			return false
		})
		_, err := open(t, server.OutputURL(parameter)).PutVideo(t.Context(), name, source(t, []byte("video")))
		require.ErrorContains(t, err, "store \""+name+"\" in s3://films: XAmzContentSHA256Mismatch: ")
		assert.NotContains(t, err.Error(), "\n")
		assert.Empty(t, server.Objects())
	}
}

// If the answer to a write is lost, the library repeats the write, which conflicts
// with its own object.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	server.InterceptPuts(once(func(w http.ResponseWriter, r *http.Request) bool {
		server.Serve(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}))
	_, err := open(t, server.OutputURL()).PutVideo(t.Context(), name, source(t, []byte("video")))
	require.NoError(t, err)
	assert.Len(t, server.Requests("PUT"), 2)
	assert.Equal(t, map[string]string{name: "video"}, server.Objects())
}

func TestCanceledHalfway(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	server.InterceptPuts(func(_ http.ResponseWriter, r *http.Request) bool {
		_, err := io.CopyN(io.Discard, r.Body, 1<<20)
		assert.NoError(t, err)
		cancel()
		return false
	})
	put := source(t, bytes.Repeat([]byte("video"), 4<<20))
	_, err := open(t, server.OutputURL()).PutVideo(ctx, name, put)
	require.ErrorIs(t, err, context.Canceled)
	server.NoMultipartUploads()
	assert.Empty(t, server.Objects())
	assert.FileExists(t, put.Path)
}

// Every operation is bounded for a server that stalls.
func TestServerStalls(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	opened := open(t, server.OutputURL())
	bucket.SetStallTimeout(opened, 50*time.Millisecond)
	large := strings.Repeat("video", 4<<20)
	server.PutObject(name, large)
	over := make(chan struct{})
	defer close(over)
	server.Intercept(func(w http.ResponseWriter, r *http.Request) bool {
		switch r.Method {
		case http.MethodGet:
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write([]byte("some"))
			w.(http.Flusher).Flush()
		case http.MethodHead:
			return false
		}
		<-over
		return true
	})
	_, err := opened.PutVideo(t.Context(), "other.mp4", source(t, []byte(large)))
	require.ErrorContains(t, err, "stalled")
	reader, err := opened.Open(t.Context(), name)
	if err == nil {
		defer reader.Close()
		_, err = io.ReadAll(reader)
	}
	require.ErrorContains(t, err, "stalled")
}
