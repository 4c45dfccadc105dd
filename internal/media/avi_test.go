package media_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// little returns a copy with a little-endian number behind the first occurrence of text.
func little(t testing.TB, data []byte, text string, offset int, value uint32) []byte {
	t.Helper()
	changed := bytes.Clone(data)
	at := bytes.Index(data, []byte(text))
	require.GreaterOrEqual(t, at, 0, text)
	binary.LittleEndian.PutUint32(changed[at+len(text)+offset:], value)
	return changed
}

// zeros returns a copy with a hole.
func zeros(data []byte, at, size int) []byte {
	changed := bytes.Clone(data)
	clear(changed[at : at+size])
	return changed
}

// Sizes of the header that a program did not fill in are unknown.
func TestAVI(t *testing.T) {
	t.Parallel()
	const mediaSize, frames = -8, 32 // bytes behind "movi" and "vids"
	good, pipe := testdata(t, "corpus/mpeg4.avi"), testdata(t, "corpus/pipe.avi")
	insert := func(data []byte, before string, chunk string) []byte {
		at := bytes.Index(data, []byte(before))
		return slices.Concat(data[:at], []byte(chunk), data[at:])
	}
	tests := []struct {
		name    string
		data    []byte
		problem media.Problem // empty for a video
		want    time.Duration
	}{
		{"ordinary", good, "", 600 * time.Millisecond},
		{"pipe", pipe, "", 600 * time.Millisecond},
		{"no length of the file", little(t, good, "RIFF", 0, 0), "", 600 * time.Millisecond},
		{"no length of the media", little(t, good, "movi", mediaSize, 0), "", 600 * time.Millisecond},
		{"unknown length of the media", little(t, good, "movi", mediaSize, math.MaxUint32), "", 600 * time.Millisecond},
		{"no number of frames", little(t, good, "vids", frames-4, 0), "", 600 * time.Millisecond},
		{"more frames declared than there are", little(t, good, "vids", frames-4, 100), "", 600 * time.Millisecond},
		{"no rate", little(t, good, "vids", 20, 0), "", 600 * time.Millisecond},
		{"bytes behind the last chunk", append(bytes.Clone(good), "\x00\x00junk and more"...), "", 600 * time.Millisecond},
		{"chunk before the headers", insert(good, "LIST", "JUNK\x03\x00\x00\x00abc\x00"), "", 600 * time.Millisecond},
		{"no index", good[:bytes.Index(good, []byte("idx1"))], "", 600 * time.Millisecond},

		{"media longer than the file", good[:bytes.Index(good, []byte("idx1"))-1], media.CutOff, 0},
		{"index that is cut off", good[:len(good)-1], media.CutOff, 0},
		{"pipe that was cut off in a frame", pipe[:len(pipe)-3], media.CutOff, 0},
		{"fewer frames than declared, unknown length", little(t, little(t, good, "vids", frames-4, 100), "movi", mediaSize, 0), media.CutOff, 0},
		{"no media", good[:bytes.Index(good, []byte("movi"))-8], media.NoPicture, 0},
		{"no header", good[:12], media.NoIndex, 0},
		{"headers that are cut off", good[:100], media.NoIndex, 0},
		{"no format", bytes.Replace(good, []byte("strf"), []byte("JUNK"), 1), media.NoPicture, 0},
		{"zeros in place of frames", zeros(good, bytes.LastIndex(good, []byte("00dc"))-300, 200), media.CutOff, 0},
		{"sound alone", bytes.Replace(good, []byte("vids"), []byte("auds"), 1), media.NoPicture, 0},
		{"WAV", testdata(t, "corpus/other.wav"), media.NotVideo, 0},
		{"short stream header", little(t, good, "strh", 0, 20), media.Malformed, 0},
		{"empty chunks", append(bytes.Clone(good), bytes.Repeat([]byte("JUNK\x00\x00\x00\x00"), 1<<19)...), media.Excessive, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := media.Inspect(bytes.NewReader(test.data), int64(len(test.data)))
			if test.problem != "" {
				requireProblem(t, test.problem, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, media.Video{Duration: test.want, Frame: 100 * time.Millisecond, Width: 64, Height: 36, Extension: ".avi"}, got)
		})
	}
}
