package fetch_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

// The sample index decides whether the bytes are stored. Without a length or a mark
// of its end, a response may lack fragments.
func TestVerify(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("../media/testdata", name))
		require.NoError(t, err)
		return data
	}
	unframed := func(data []byte) http.HandlerFunc { return raw("HTTP/1.0 200 OK\r\n\r\n%s", data) }
	declared := func(data []byte) http.HandlerFunc { return ignoringRange(data, etag) }
	inGzip := func(data []byte) http.HandlerFunc { return unframed(gzipped(data)) }
	inGzipOfLength := func(data []byte) http.HandlerFunc {
		return answer(200, gzipped(data), false, "Content-Encoding", "gzip")
	}
	inHalfGzip := func(data []byte) http.HandlerFunc { return unframed(gzipped(data)[:len(gzipped(data))-9]) }
	ranged := func(format string, inChunks bool) func([]byte) http.HandlerFunc {
		return func(data []byte) http.HandlerFunc {
			return answer(http.StatusPartialContent, data, inChunks, "Content-Range", fmt.Sprintf(format, len(data)-1, len(data)))
		}
	}
	fragments := read("corpus/fragments-unfinished.mp4")
	tests := []struct {
		name  string
		data  []byte
		serve func([]byte) http.HandlerFunc
		kind  fetch.Kind // 0 is success
	}{
		{"trailing zeros", read("field/valid-trailing-zeros.mp4"), declared, 0},
		{"trailing newline", read("field/valid-trailing-newline.mp4"), unframed, 0},
		{"trailing text of a camera", read("field/valid-trailing-camera-block.mp4"), declared, 0},
		{"second index", read("field/valid-second-moov.mp4"), declared, 0},
		{"QuickTime", read("field/valid-moov-4-zero-bytes.mov"), declared, 0},
		{"uuid box in front", read("field/valid-uuid-first.mov"), chunked, 0},
		{"fragments with a mark of their end", read("field/good-fragmented.mp4"), unframed, 0},
		{"fragments of a declared length", fragments, declared, 0},
		{"fragments in chunks", fragments, chunked, 0},
		{"fragments in gzip", fragments, inGzip, 0},
		{"fragments in gzip of a declared length", fragments, inGzipOfLength, 0},
		{"fragments in gzip that breaks off", fragments, inHalfGzip, fetch.Transient},
		{"fragments, range of the length", fragments, ranged("bytes 0-%[1]d/%[2]d", true), 0},
		{"fragments, range of an unknown length", fragments, ranged("bytes 0-%[1]d/*", true), fetch.Transient},
		{"fragments, range of an unknown length in one body", fragments, ranged("bytes 0-%[1]d/*", false), fetch.Transient},
		{"fragments, unknown range", fragments, ranged("items 0-%[1]d/%[2]d", true), fetch.Transient},
		{"fragments, unknown range in one body", fragments, ranged("items 0-%[1]d/%[2]d", false), fetch.Transient},
		{"fragments without a length", fragments, unframed, fetch.Transient},
		{"media to the end of the file, cut off", read("field/bad-cut-mdat-to-eof.mp4"), declared, fetch.Rejected},
		{"media to the end of the file, cut off, without a length", read("field/bad-cut-mdat-to-eof.mp4"), unframed, fetch.Transient},
		{"first fragment cut off", read("field/bad-moof-without-mdat.mp4"), chunked, fetch.Transient},
		{"no fragments", read("field/bad-init-only.mp4"), declared, fetch.Rejected},
		{"no media", read("field/bad-no-media.mp4"), declared, fetch.Rejected},
		{"no track", read("field/bad-no-track.mp4"), declared, fetch.Rejected},
		{"eight bytes", read("field/bad-8-bytes.mov"), declared, fetch.Rejected},
		{"sound", read("field/bad-audio-only.mp4"), declared, fetch.Rejected},
		{"AVI", read("field/good.avi"), declared, fetch.Rejected},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newOrigin(t, test.serve(test.data))
			file, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			require.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
			if test.kind != 0 {
				return
			}
			stored, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(test.data, stored))
			assert.NotZero(t, file.Video.Duration)
			require.NoError(t, file.Discard())
		})
	}
}

// A field case is stored byte for byte, or refused with nothing kept. A result may be
// longer than a clip that is uploaded, and is no AVI.
func TestFieldCases(t *testing.T) {
	t.Parallel()
	const folder = "../media/testdata/field"
	refused := []string{
		"bad-8-bytes.mov", "bad-audio-only.mp4", "bad-cut-mdat-to-eof.mp4", "bad-init-only.mp4", "bad-moof-without-mdat.mp4", "bad-no-media.mp4",
		"bad-no-track.mp4",
	}
	names, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, names, 26)
	for _, entry := range names {
		t.Run(entry.Name(), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
			require.NoError(t, err)
			fetcher := newFetcher(t)
			server := newOrigin(t, ignoringRange(data, etag))
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
			if filepath.Ext(entry.Name()) == ".avi" || slices.Contains(refused, entry.Name()) {
				require.Equal(t, fetch.Rejected, fetch.KindOf(err), "%v", err)
				bytes, _ := fetch.WorkFiles(key)
				left, err := os.Stat(filepath.Join(fetcher.WorkDir(), bytes))
				require.NoError(t, err)
				assert.Zero(t, left.Size())
				return
			}
			require.NoError(t, err)
			stored, err := os.ReadFile(file.Path)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(data, stored))
			require.NoError(t, file.Discard())
		})
	}
}

// On request an AVI is a video too, and nothing else changes.
func TestVerifyAVI(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file, extension string
		kind            fetch.Kind // 0 is success
	}{
		{"field/good.avi", ".avi", 0},
		{"clip.mov", ".mov", 0},
		{"corpus/fragments-unfinished.mp4", ".mp4", 0},
		{"field/bad-no-track.mp4", "", fetch.Rejected},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(filepath.Join("../media/testdata", test.file))
			require.NoError(t, err)
			server := newOrigin(t, chunked(data))
			file, err := newFetcher(t).Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key, AVI: true})
			require.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
			if test.kind == 0 {
				assert.Equal(t, test.extension, file.Video.Extension)
				require.NoError(t, file.Discard())
			}
		})
	}
}

// A range of a file of unknown length that ends between two fragments is no whole file.
func TestRangeUpToAFragment(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../media/testdata/corpus/fragments-unfinished.mp4")
	require.NoError(t, err)
	half, end := len(data)/2, bytes.LastIndex(data, []byte("moof"))-4
	require.Greater(t, end, half)
	first := raw("HTTP/1.1 200 OK\r\nETag: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s", etag, len(data), data[:half])
	fetcher := newFetcher(t)
	server := newOrigin(t, first, partial(data, etag, fmt.Sprintf("bytes %d-%d/*", half, end-1), half, end), compliant(data, etag))
	for range 2 {
		_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
		require.Equal(t, fetch.Transient, fetch.KindOf(err), "%v", err)
	}
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, []string{"", fmt.Sprintf("bytes=%d-", half), fmt.Sprintf("bytes=%d-", end)}, server.ranges())
	assert.Equal(t, sum(data), file.SHA256)
	require.NoError(t, file.Discard())
}
