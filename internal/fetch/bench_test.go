package fetch_test

import (
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

const benchmarkSize = 128 << 20

// BenchmarkFetch and BenchmarkCopyAndHash move the same bytes from the same server
// to the same disk, hashed and synced. The difference is the cost of checkpoints,
// verification and guards.
func BenchmarkFetch(b *testing.B) {
	data := video(benchmarkSize, 1)
	server := newOrigin(b, compliant(data, etag))
	fetcher, err := fetch.New(fetch.Options{WorkDir: b.TempDir(), AllowPrivate: true})
	require.NoError(b, err)
	b.SetBytes(benchmarkSize)
	b.ReportAllocs()
	for b.Loop() {
		file, err := fetcher.Fetch(b.Context(), fetch.Request{URL: server.link(), Key: key})
		require.NoError(b, err)
		require.NoError(b, file.Discard())
	}
}

func BenchmarkCopyAndHash(b *testing.B) {
	data := video(benchmarkSize, 1)
	server := newOrigin(b, compliant(data, etag))
	path := filepath.Join(b.TempDir(), "video.mp4")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}}
	b.SetBytes(benchmarkSize)
	b.ReportAllocs()
	for b.Loop() {
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.link(), nil)
		require.NoError(b, err)
		response, err := client.Do(request)
		require.NoError(b, err)
		file, err := os.Create(path)
		require.NoError(b, err)
		_, err = io.Copy(io.MultiWriter(file, sha256.New()), response.Body)
		require.NoError(b, err)
		require.NoError(b, response.Body.Close())
		require.NoError(b, file.Sync())
		require.NoError(b, file.Close())
		require.NoError(b, os.Remove(path))
	}
}
