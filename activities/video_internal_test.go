package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

func TestReceiptFileRoundTrip(t *testing.T) {
	file := store.ReceiptFile{
		Name: "v.mp4", Location: "file:///videos/v.mp4", URLHost: "cdn.example.org", ETag: `"v1"`,
		Bytes: 42, SHA256: "abc", Duration: "9.96s", Width: 1280, Height: 720,
	}
	downloaded := newDownloaded(file, "https://cdn.example.org/v.mp4")
	require.Equal(t, "https://cdn.example.org/v.mp4", downloaded.Video.SourceURL)
	require.Equal(t, file, downloaded.receiptFile())
}
