package clip_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/test/mp4test"
)

// lasting is an MP4 of this duration with a picture of 64 x 36 pixels.
func lasting(duration time.Duration) []byte {
	return join(mp4test.FileType("isom"), mp4test.Movie(uint32(duration*90_000/time.Second), 90_000, 64, 36), mp4test.Atom("mdat", make([]byte, 100)))
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// avi is an AVI that declares a number of frames and contains none.
func avi(microseconds, frames uint32) []byte {
	header := make([]byte, 56)
	binary.LittleEndian.PutUint32(header, microseconds)
	binary.LittleEndian.PutUint32(header[16:], frames)
	return riff("RIFF", "AVI ", riff("LIST", "hdrl", riff("avih", "", header)), riff("LIST", "movi"))
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
