package bucket_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	_ "lumaflow/internal/store/bucket"
	"lumaflow/test/s3test"
	"lumaflow/test/storetest"
)

const name = storetest.Name

var list = storetest.List

func open(t testing.TB, url string) store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), url)
	require.NoError(t, err)
	return opened
}

// source writes content to a new file.
func source(t testing.TB, content []byte) store.Source {
	t.Helper()
	return storetest.Source(t, t.TempDir(), content)
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

func TestContract(t *testing.T) {
	t.Parallel()
	for kind, bucket := range clouds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			storetest.Contract(t, func(t *testing.T) storetest.Opened {
				url := bucket(t, "prefix=videos/2026/")
				root, _, _ := strings.Cut(url, "?")
				return storetest.Opened{Store: open(t, url), Root: root + "/videos/2026", Sources: t.TempDir(), Hashes: true, Keeps: true}
			})
		})
	}
}

// The source of a video in a bucket stays.
func TestSourceStays(t *testing.T) {
	t.Parallel()
	put := source(t, []byte("video"))
	_, err := open(t, s3test.New(t).OutputURL()).PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	assert.FileExists(t, put.Path)
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
