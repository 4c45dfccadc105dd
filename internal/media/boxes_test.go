package media_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"lumaflow/test/mp4test"
)

var atom, fileType, numbers = mp4test.Atom, mp4test.FileType, mp4test.Numbers

// tenSeconds is an MP4 of 9.96 s.
var tenSeconds = mp4test.Movie{Duration: 9960, Scale: 1000, Width: 1280, Height: 720, Frames: 240, Media: make([]byte, 1000)}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return data
}

// place returns the place of the first box of a kind.
func place(t testing.TB, data []byte, kind string) int {
	t.Helper()
	at := bytes.Index(data, []byte(kind))
	require.GreaterOrEqual(t, at, 4, kind)
	return at - 4
}

// with returns a copy with 32-bit fields behind the header of the first box of a kind.
func with(t testing.TB, data []byte, kind string, offset int, fields ...uint32) []byte {
	t.Helper()
	changed := bytes.Clone(data)
	copy(changed[place(t, data, kind)+8+offset:], numbers(fields...))
	return changed
}

// without returns a copy whose first box of a kind is unknown.
func without(t testing.TB, data []byte, kind string) []byte {
	t.Helper()
	changed := bytes.Clone(data)
	copy(changed[place(t, data, kind)+4:], "none")
	return changed
}

// topBoxes are the boxes at the top level of a well-formed file.
func topBoxes(data []byte) (boxes [][]byte) {
	for len(data) > 0 {
		size := binary.BigEndian.Uint32(data)
		boxes = append(boxes, data[:size])
		data = data[size:]
	}
	return boxes
}
