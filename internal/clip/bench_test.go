package clip_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/internal/kie"
)

// BenchmarkClip checks and uploads files of several sizes with kie.Client. B/op is
// the same for all, because the content is streamed.
func BenchmarkClip(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"code":200,"data":{"downloadUrl":"http://127.0.0.1/a.mp4"}}`)
	}))
	defer server.Close()
	client, err := kie.New(kie.Options{UploadBaseURL: server.URL, APIKey: "key"})
	require.NoError(b, err)
	defer client.CloseIdleConnections()
	for name, size := range map[string]int64{"1MB": 1e6, "50MB": 50e6, "500MB": 500e6} {
		b.Run(name, func(b *testing.B) {
			// Most of the file is a hole: a last box without a length extends to the end.
			path := filepath.Join(b.TempDir(), "a.mp4")
			require.NoError(b, os.WriteFile(path, append(lasting(time.Second), "\x00\x00\x00\x00free"...), 0o600))
			require.NoError(b, os.Truncate(path, size))
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				opened, err := clip.Open(b.Context(), path)
				require.NoError(b, err)
				_, err = opened.Upload(b.Context(), client, new(events))
				require.NoError(b, err)
				require.NoError(b, opened.Close())
			}
		})
	}
}
