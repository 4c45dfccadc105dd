package bucket_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	_ "lumaflow/internal/store/bucket"
	"lumaflow/test/s3test"
)

const name = "luma_result_t1_1.mp4"

func open(t testing.TB, url string) store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), url)
	require.NoError(t, err)
	return opened
}

// source writes content to a new file.
func source(t testing.TB, content []byte) store.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "source.part")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return store.Source{Path: path, Bytes: int64(len(content)), SHA256: sum(content), ContentType: "video/mp4"}
}

func sum(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// clouds returns an output URL of a new bucket for each kind.
var clouds = map[string]func(t testing.TB, parameters ...string) string{
	"s3": func(t testing.TB, parameters ...string) string { return s3test.New(t).OutputURL(parameters...) },
	"s3 by MD5": func(t testing.TB, parameters ...string) string {
		return s3test.New(t).OutputURL(append(parameters, "request_checksum_calculation=when_required")...)
	},
	"gs": func(t testing.TB, parameters ...string) string {
		bucket := freshBucket()
		gcs.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: bucket})
		return "gs://" + bucket + "?" + strings.Join(parameters, "&")
	},
	"azblob": func(t testing.TB, parameters ...string) string { return newAzure(t).url(parameters...) },
	"mem": func(t testing.TB, parameters ...string) string {
		return "mem://" + freshBucket() + "?" + strings.Join(parameters, "&")
	},
}

// freshBucket returns an unused name for a bucket in a shared cloud.
func freshBucket() string { return strings.ToLower(rand.Text()) }

// inEveryCloud runs a test with a store in a bucket of each kind.
func inEveryCloud(t *testing.T, test func(t *testing.T, opened store.Store, scheme string)) {
	t.Parallel()
	for kind, bucket := range clouds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			url := bucket(t, "prefix=videos/2026/")
			root, _, _ := strings.Cut(url, "?")
			test(t, open(t, url), root)
		})
	}
}

//nolint:unparam // it reads like the store's Open, and the name is of the test
func read(t testing.TB, opened store.Store, name string) string {
	t.Helper()
	reader, err := opened.Open(t.Context(), name)
	require.NoError(t, err)
	content, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	return string(content)
}

// written is the time of an object's write.
func written(t testing.TB, opened store.Store, name string) time.Time {
	t.Helper()
	reader, err := opened.Open(t.Context(), name)
	require.NoError(t, err)
	defer reader.Close()
	return reader.(interface{ ModTime() time.Time }).ModTime()
}

func list(t testing.TB, opened store.Store) (found []store.Entry) {
	t.Helper()
	for entry, err := range opened.List(t.Context()) {
		require.NoError(t, err)
		found = append(found, entry)
	}
	return found
}

func TestPutVideo(t *testing.T) {
	inEveryCloud(t, func(t *testing.T, opened store.Store, root string) {
		require.NoError(t, opened.Check(t.Context()))
		assert.Empty(t, list(t, opened))
		content := bytes.Repeat([]byte("video"), 100_000)
		put := source(t, content)
		location, err := opened.PutVideo(t.Context(), name, put)
		require.NoError(t, err)
		assert.Equal(t, root+"/videos/2026/"+name, location)
		assert.Equal(t, sha256.Sum256(content), sha256.Sum256([]byte(read(t, opened, name))))
		assert.WithinDuration(t, time.Now(), written(t, opened, name), time.Hour)
		assert.FileExists(t, put.Path)
		assert.Equal(t, []store.Entry{{Name: name, Bytes: put.Bytes}}, list(t, opened))

		require.NoError(t, os.Remove(put.Path))
		again, err := opened.PutVideo(t.Context(), name, put)
		require.NoError(t, err, "after a crash the source may be gone and the video stored")
		assert.Equal(t, location, again)

		_, err = opened.PutVideo(t.Context(), name, source(t, []byte("another encoding")))
		require.NoError(t, err)
		assert.Equal(t, "another encoding", read(t, opened, name))
		_, err = opened.PutVideo(t.Context(), name, source(t, []byte("anothEr encoding")))
		require.NoError(t, err)
		assert.Equal(t, "anothEr encoding", read(t, opened, name), "also at the same length")
		_, err = opened.PutVideo(t.Context(), "empty.mp4", source(t, nil))
		require.NoError(t, err)
		assert.Equal(t, []store.Entry{{Name: "empty.mp4"}, {Name: name, Bytes: 16}}, list(t, opened))
	})
}

func TestMatches(t *testing.T) {
	inEveryCloud(t, func(t *testing.T, opened store.Store, root string) {
		put := source(t, []byte("video"))
		match := func() (string, bool) {
			t.Helper()
			location, ok, err := opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
			require.NoError(t, err)
			return location, ok
		}
		location, ok := match()
		assert.False(t, ok, "missing")
		assert.Empty(t, location)
		want, err := opened.PutVideo(t.Context(), name, put)
		require.NoError(t, err)
		location, ok = match()
		assert.True(t, ok)
		assert.Equal(t, want, location)
		for _, other := range []string{"vidEo", "video and more"} {
			_, err = opened.PutVideo(t.Context(), name, source(t, []byte(other)))
			require.NoError(t, err)
			_, ok = match()
			assert.False(t, ok, other)
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err = opened.Matches(canceled, name, put.Bytes, put.SHA256)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Concurrent attempts all succeed, also those that share a source.
func TestPutVideoConcurrently(t *testing.T) {
	inEveryCloud(t, func(t *testing.T, opened store.Store, root string) {
		content := bytes.Repeat([]byte("video"), 100_000)
		shared := source(t, content)
		var attempts sync.WaitGroup
		for i := range 16 {
			put := shared
			if i%2 == 0 {
				put = source(t, content)
			}
			attempts.Go(func() {
				_, err := opened.PutVideo(t.Context(), name, put)
				assert.NoError(t, err)
			})
		}
		attempts.Wait()
		assert.Equal(t, sha256.Sum256(content), sha256.Sum256([]byte(read(t, opened, name))))
		assert.Equal(t, []store.Entry{{Name: name, Bytes: shared.Bytes}}, list(t, opened))
	})
}

func TestPutVideoRejects(t *testing.T) {
	inEveryCloud(t, func(t *testing.T, opened store.Store, root string) {
		put := source(t, []byte("video"))
		for _, bad := range []string{"", "..", "../v.mp4", "/v.mp4", "a/v.mp4", `a\v.mp4`, "a\n.mp4", ".v.mp4", "\xff.mp4", strings.Repeat("x", 252) + ".mp4"} {
			_, err := opened.PutVideo(t.Context(), bad, put)
			require.ErrorContains(t, err, "no plain file name", bad)
			_, _, err = opened.Matches(t.Context(), bad, put.Bytes, put.SHA256)
			require.ErrorContains(t, err, "no plain file name", bad)
			_, err = opened.PutReceipt(t.Context(), bad, receipt())
			require.ErrorContains(t, err, "no plain file name", bad)
			_, err = opened.Receipt(t.Context(), bad)
			require.ErrorContains(t, err, "no plain file name", bad)
			_, err = opened.Open(t.Context(), bad)
			require.ErrorContains(t, err, "no plain file name", bad)
		}

		longer := put
		longer.Bytes++
		_, err := opened.PutVideo(t.Context(), name, longer)
		require.ErrorContains(t, err, "the source has changed")

		missing := put
		missing.Path += "x"
		_, err = opened.PutVideo(t.Context(), name, missing)
		require.ErrorIs(t, err, os.ErrNotExist)

		folder := put
		folder.Path = filepath.Dir(put.Path)
		_, err = opened.PutVideo(t.Context(), name, folder)
		require.ErrorContains(t, err, "the source has changed")

		other := put
		other.SHA256 = strings.Repeat("0", 64)
		_, err = opened.PutVideo(t.Context(), name, other)
		require.ErrorContains(t, err, "SHA-256")

		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = opened.PutVideo(canceled, name, put)
		require.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, list(t, opened))
	})
}

// An upload sets the content type and the SHA-256 of the object.
func TestObjectAttributes(t *testing.T) {
	t.Parallel()
	server := s3test.New(t)
	puts := make(chan http.Header, 1)
	server.InterceptPuts(func(_ http.ResponseWriter, r *http.Request) bool {
		puts <- r.Header.Clone()
		return false
	})
	put := source(t, []byte("video"))
	_, err := open(t, server.OutputURL("ssetype=aws:kms", "kmskeyid=a-key")).PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	sent := <-puts
	assert.Equal(t, "video/mp4", sent.Get("Content-Type"))
	assert.Equal(t, put.SHA256, sent.Get("X-Amz-Meta-Sha256"))
	assert.Equal(t, "*", sent.Get("If-None-Match"))
	assert.NotEmpty(t, sent.Get("X-Amz-Checksum-Sha256"))
	assert.Equal(t, "aws:kms", sent.Get("X-Amz-Server-Side-Encryption"))
	assert.Equal(t, "a-key", sent.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"))

	_, err = open(t, server.OutputURL("request_checksum_calculation=when_required")).PutVideo(t.Context(), "other.mp4", put)
	require.NoError(t, err)
	sent = <-puts
	assert.NotEmpty(t, sent.Get("Content-Md5"))
	for header := range sent {
		assert.NotContains(t, header, "Checksum", "some stores reject unknown headers")
	}
}
