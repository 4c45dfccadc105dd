package media_test

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// The files in testdata are encoder output.
func TestInspectRealFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType string
		want              media.Video
	}{
		{"clip.mp4", "video/mp4", media.Video{Duration: 1200 * time.Millisecond, Frame: 100 * time.Millisecond, Width: 160, Height: 90, Extension: ".mp4"}},
		{"clip.mov", "video/quicktime", media.Video{Duration: 1200 * time.Millisecond, Frame: 100 * time.Millisecond, Width: 160, Height: 90, Extension: ".mov"}},
		{"clip.avi", "video/x-msvideo", media.Video{Duration: 1200 * time.Millisecond, Frame: 200 * time.Millisecond, Width: 64, Height: 36, Extension: ".avi"}},
		{"fragmented.mp4", "video/mp4", media.Video{Duration: 1400 * time.Millisecond, Frame: 100 * time.Millisecond, Width: 160, Height: 90, Extension: ".mp4"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("testdata", test.name))
			require.NoError(t, err)
			got, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.contentType, got.ContentType())
		})
	}
}

// A failure to read is reported as such, not as a malformed file.
func TestReadFailure(t *testing.T) {
	t.Parallel()
	broken := &os.PathError{Op: "read", Path: "a.mp4", Err: syscall.EIO}
	for _, name := range []string{"clip.mp4", "clip.avi", "corpus/compressed-index.mov"} {
		data := testdata(t, name)
		reads := 0
		for ; ; reads++ {
			_, err := media.Inspect(&failingReader{bytes.NewReader(data), reads, broken}, int64(len(data)))
			if err == nil {
				break
			}
			require.ErrorIs(t, err, syscall.EIO, "%s after %d reads", name, reads)
			var failed *os.PathError
			require.ErrorAs(t, err, &failed)
		}
		assert.Greater(t, reads, 10, name)
	}
}

// failingReader fails after a number of reads.
type failingReader struct {
	*bytes.Reader
	reads int
	err   error
}

func (r *failingReader) ReadAt(into []byte, at int64) (int, error) {
	if r.reads--; r.reads < 0 {
		return 0, r.err
	}
	return r.Reader.ReadAt(into, at)
}
