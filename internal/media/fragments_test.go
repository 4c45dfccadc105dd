package fetch_test

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

func numbers(all ...uint32) []byte {
	var bytes []byte
	for _, number := range all {
		bytes = binary.BigEndian.AppendUint32(bytes, number)
	}
	return bytes
}

// A fragmented file is as long as its samples: a recorder does not know that
// when it writes the header.
func TestInspectFragments(t *testing.T) {
	t.Parallel()
	const scale = 1000
	// A movie of 1 s with one track, whose samples last 40 ms unless told.
	movie := func(header uint32) []byte {
		mvhd, tkhd, mdhd := make([]byte, 100), make([]byte, 84), make([]byte, 24)
		copy(mvhd[12:], numbers(scale, header))
		copy(tkhd[12:], numbers(1))
		copy(mdhd[12:], numbers(scale, header))
		return atom("moov", atom("mvhd", mvhd), atom("trak", atom("tkhd", tkhd), atom("mdia", atom("mdhd", mdhd))),
			atom("mvex", atom("trex", numbers(0, 1, 1, 40, 0, 0))))
	}
	fragment := func(boxes ...[]byte) []byte { return atom("moof", atom("mfhd", numbers(0, 1)), atom("traf", boxes...)) }
	head, headWith20 := atom("tfhd", numbers(0, 1)), atom("tfhd", numbers(0x8, 1, 20))
	from := func(at uint32) []byte { return atom("tfdt", numbers(0, at)) }
	run := func(count uint32) []byte { return atom("trun", numbers(0, count)) }
	tests := []struct {
		name string
		data [][]byte
		want time.Duration
	}{
		{"what the movie says of a sample", [][]byte{movie(0), fragment(head, from(0), run(25)), fragment(head, from(1000), run(25))}, 2 * time.Second},
		{"what the fragment says of a sample", [][]byte{movie(0), fragment(headWith20, from(0), run(25))}, 500 * time.Millisecond},
		{
			"what every sample says",
			[][]byte{movie(0), fragment(head, from(0), atom("trun", numbers(0xf05, 2, 9, 9, 100, 1, 1, 1, 150, 1, 1, 1)), atom("trun", numbers(0x100, 1, 50)))},
			300 * time.Millisecond,
		},
		{"no times", [][]byte{movie(0), fragment(head, run(25)), fragment(head, run(25))}, 2 * time.Second},
		{"the movie has the first samples", [][]byte{movie(1000), fragment(head, from(1000), run(250))}, 11 * time.Second},
		{"the movie has the first samples, no times", [][]byte{movie(1000), fragment(head, run(250))}, 11 * time.Second},
		{"the movie knows the whole", [][]byte{movie(10_000), fragment(head, from(0), run(250))}, 10 * time.Second},
		{"cut out of a longer recording", [][]byte{movie(0), fragment(head, from(100_000), run(25))}, time.Second},
		{"a gap", [][]byte{movie(0), fragment(head, from(0), run(25)), fragment(head, from(5000), run(25))}, 6 * time.Second},
		{"no fragment", [][]byte{movie(0)}, 0},
		{"no samples", [][]byte{movie(0), fragment(head)}, 0},
		{"more samples than there are bytes", [][]byte{movie(0), fragment(head, atom("trun", numbers(0x100, 1<<31, 40)))}, 0},
		{"endless samples", [][]byte{movie(0), fragment(atom("tfhd", numbers(0x8, 1, 1<<31)), run(1<<31), run(1<<31), run(1<<31), run(1<<31))}, 0},
		{"a track that is none", [][]byte{movie(0), fragment(atom("tfhd", numbers(0, 7)), run(25))}, 0},
		{"a run before its head", [][]byte{movie(0), fragment(run(25), head)}, 0},
		{"a fragment that is none", [][]byte{movie(1000), atom("moof", make([]byte, 50))}, time.Second},
		{"a run that is none", [][]byte{movie(0), fragment(head, atom("trun", numbers(0)))}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := append(fileType("isom"), bytes.Join(test.data, nil)...)
			got, err := fetch.InspectReader(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Duration)
		})
	}
}
