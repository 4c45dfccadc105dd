package media_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// The duration of a fragmented file is the sum of its samples: a recorder writes
// the header before they exist.
func TestFragmentedDuration(t *testing.T) {
	t.Parallel()
	const scale = 1000
	// A movie with one track, with 40 ms as the default duration of a sample.
	movie := func(header uint32) []byte {
		mvhd, tkhd, mdhd := make([]byte, 100), make([]byte, 84), make([]byte, 24)
		copy(mvhd[12:], numbers(scale, header))
		copy(tkhd[12:], numbers(1))
		copy(mdhd[12:], numbers(scale, header))
		return atom("moov", atom("mvhd", mvhd), atom("trak", atom("tkhd", tkhd), atom("mdia", atom("mdhd", mdhd))),
			atom("mvex", atom("trex", numbers(0, 1, 1, 40, 0, 0))))
	}
	fragment := func(boxes ...[]byte) []byte { return atom("moof", atom("mfhd", numbers(0, 1)), atom("traf", boxes...)) }
	head, head20ms := atom("tfhd", numbers(0, 1)), atom("tfhd", numbers(0x8, 1, 20))
	from := func(at uint32) []byte { return atom("tfdt", numbers(0, at)) }
	run := func(count uint32) []byte { return atom("trun", numbers(0, count)) }
	tests := []struct {
		name string
		data [][]byte
		want time.Duration
	}{
		{"sample duration in the movie", [][]byte{movie(0), fragment(head, from(0), run(25)), fragment(head, from(1000), run(25))}, 2 * time.Second},
		{"sample duration in the fragment", [][]byte{movie(0), fragment(head20ms, from(0), run(25))}, 500 * time.Millisecond},
		{
			"sample durations in the run",
			[][]byte{movie(0), fragment(head, from(0), atom("trun", numbers(0xf05, 2, 9, 9, 100, 1, 1, 1, 150, 1, 1, 1)), atom("trun", numbers(0x100, 1, 50)))},
			300 * time.Millisecond,
		},
		{"no decode times", [][]byte{movie(0), fragment(head, run(25)), fragment(head, run(25))}, 2 * time.Second},
		{"first samples in the movie", [][]byte{movie(1000), fragment(head, from(1000), run(250))}, 11 * time.Second},
		{"first samples in the movie, no decode times", [][]byte{movie(1000), fragment(head, run(250))}, 11 * time.Second},
		{"total duration in the movie", [][]byte{movie(10_000), fragment(head, from(0), run(250))}, 10 * time.Second},
		{"excerpt of a longer recording", [][]byte{movie(0), fragment(head, from(100_000), run(25))}, time.Second},
		{"gap", [][]byte{movie(0), fragment(head, from(0), run(25)), fragment(head, from(5000), run(25))}, 6 * time.Second},
		{"no fragment", [][]byte{movie(0)}, 0},
		{"no samples", [][]byte{movie(0), fragment(head)}, 0},
		{"more samples than there are bytes", [][]byte{movie(0), fragment(head, atom("trun", numbers(0x100, 1<<31, 40)))}, 0},
		{"duration that overflows", [][]byte{movie(0), fragment(atom("tfhd", numbers(0x8, 1, 1<<31)), run(1<<31), run(1<<31), run(1<<31), run(1<<31))}, 0},
		{"unknown track", [][]byte{movie(0), fragment(atom("tfhd", numbers(0, 7)), run(25))}, 0},
		{"run before its header", [][]byte{movie(0), fragment(run(25), head)}, 0},
		{"malformed fragment", [][]byte{movie(1000), atom("moof", make([]byte, 50))}, time.Second},
		{"malformed run", [][]byte{movie(0), fragment(head, atom("trun", numbers(0)))}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := append(fileType("isom"), bytes.Join(test.data, nil)...)
			got, err := media.InspectMP4(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Duration)
		})
	}
}
