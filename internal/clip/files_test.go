package clip_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/test/mp4test"
)

// lasting is an MP4 of this duration with a picture of 64 x 36 pixels and 25 frames
// per second.
func lasting(duration time.Duration) []byte {
	return mp4test.Movie{
		Duration: uint32(duration * 90_000 / time.Second), Scale: 90_000, Width: 64, Height: 36,
		Frames: uint32(duration / (40 * time.Millisecond)), Media: make([]byte, 100),
	}.Bytes()
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// avi is an AVI of a number of frames.
func avi(microseconds, frames uint32) []byte {
	header, stream := make([]byte, 56), make([]byte, 56)
	binary.LittleEndian.PutUint32(header, microseconds)
	copy(stream, "vids")
	binary.LittleEndian.PutUint32(stream[32:], frames)
	content := bytes.Repeat(riff("00dc", "", []byte("ab")), int(frames))
	return riff("RIFF", "AVI ",
		riff("LIST", "hdrl", riff("avih", "", header), riff("LIST", "strl", riff("strh", "", stream), riff("strf", ""))), riff("LIST", "movi", content))
}

// riff is a RIFF chunk. A chunk that is a list has a kind.
func riff(id, kind string, parts ...[]byte) []byte {
	payload := append([]byte(kind), join(parts...)...)
	return append(binary.LittleEndian.AppendUint32([]byte(id), uint32(len(payload))), payload...)
}

// file writes a file and returns its path.
func file(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// open opens a suitable clip.
func open(t testing.TB, path string) *clip.Clip {
	t.Helper()
	opened, err := clip.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}
