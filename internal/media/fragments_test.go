package media_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
	"lumaflow/test/mp4test"
)

// mediaSize is the number of bytes of the mdat box of each fragment of a test.
const mediaSize = 4000

// fragmentedMovie is a file with 40 ms as the default duration of a sample and 10
// bytes as its size, in units of ms. mvhd is the duration of its movie header, mehd
// that with the fragments; mdat boxes follow the fragments.
func fragmentedMovie(t testing.TB, mvhd, mehd uint32, samples mp4test.Movie, fragments ...[]byte) []byte {
	t.Helper()
	boxes := topBoxes(samples.Bytes())
	movie := atom("moov", boxes[1][8:], atom("mvex", atom("mehd", numbers(0, mehd)), atom("trex", numbers(0, 1, 1, 40, 10, 0))))
	movie = with(t, with(t, movie, "mvhd", 16, mvhd), "stco", 8, uint32(len(boxes[0])+len(movie)+8))
	data := bytes.Join([][]byte{boxes[0], movie, boxes[2]}, nil)
	for _, fragment := range fragments {
		data = append(append(data, fragment...), atom("mdat", make([]byte, mediaSize))...)
	}
	return data
}

// moof is a fragment of one track. The offsets of its runs are relative to it.
func moof(boxes ...[]byte) []byte {
	return atom("moof", atom("mfhd", numbers(0, 1)), atom("traf", boxes...))
}

// mfra is the box behind the last fragment.
var mfra = atom("mfra", atom("mfro", numbers(0, 24)))

// The duration of a fragmented file is the sum of its samples: a recorder writes
// the header before they exist.
func TestFragmentedDuration(t *testing.T) {
	t.Parallel()
	none := mp4test.Movie{Duration: 0, Scale: 1000, Width: 64, Height: 36}
	second := mp4test.Movie{Duration: 1000, Scale: 1000, Frames: 25, Media: make([]byte, 25)}
	head, head20ms := atom("tfhd", numbers(0x20000, 1)), atom("tfhd", numbers(0x20008, 1, 20))
	from := func(at uint32) []byte { return atom("tfdt", numbers(0, at)) }
	// The samples of a run are behind the fragment and the header of its mdat.
	run := func(count uint32) []byte { return atom("trun", numbers(1, count, 200)) }
	next := func(count uint32) []byte { return atom("trun", numbers(0, count)) }
	tests := []struct {
		name      string
		samples   mp4test.Movie
		mvhd      uint32
		fragments [][]byte
		want      time.Duration
	}{
		{"sample duration in the movie", none, 0, [][]byte{moof(head, from(0), run(25)), moof(head, from(1000), run(25))}, 2 * time.Second},
		{"sample duration in the fragment", none, 0, [][]byte{moof(head20ms, from(0), run(25))}, 500 * time.Millisecond},
		{
			"sample durations in the run", none, 0,
			[][]byte{moof(head, from(0), atom("trun", numbers(0xf05, 2, 200, 9, 100, 1, 1, 1, 150, 1, 1, 1)), atom("trun", numbers(0x100, 1, 50)))},
			300 * time.Millisecond,
		},
		{"several runs", none, 0, [][]byte{moof(head, from(0), run(25), next(25))}, 2 * time.Second},
		{"no decode times", none, 0, [][]byte{moof(head, run(25)), moof(head, run(25))}, 2 * time.Second},
		{"first samples in the movie", second, 1000, [][]byte{moof(head, from(1000), run(250))}, 11 * time.Second},
		{"first samples in the movie, no decode times", second, 1000, [][]byte{moof(head, run(250))}, 11 * time.Second},
		{"total duration in the movie", none, 10_000, [][]byte{moof(head, from(0), run(250))}, 10 * time.Second},
		{"excerpt of a longer recording", none, 0, [][]byte{moof(head, from(100_000), run(25))}, time.Second},
		{"gap", none, 0, [][]byte{moof(head, from(0), run(25)), moof(head, from(5000), run(25))}, 6 * time.Second},
		{"unknown track beside it", none, 0, [][]byte{moof(head, run(25)), moof(atom("tfhd", numbers(0x20000, 7)), run(1<<31))}, time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := append(fragmentedMovie(t, test.mvhd, 0, test.samples, test.fragments...), mfra...)
			got, err := media.InspectMP4(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Duration)
		})
	}
}

func TestFragmentProblems(t *testing.T) {
	t.Parallel()
	none := mp4test.Movie{Scale: 1000}
	head, run := atom("tfhd", numbers(0x20000, 1)), atom("trun", numbers(1, 25, 200))
	tests := []struct {
		name      string
		fragments [][]byte
		problem   media.Problem
	}{
		{"no fragment", nil, media.NoPicture},
		{"no runs", [][]byte{moof(head)}, media.NoPicture},
		{"no track of it", [][]byte{moof(atom("tfhd", numbers(0x20000, 7)), run)}, media.NoPicture},
		{"more samples than bytes", [][]byte{moof(head, atom("trun", numbers(0x1, 1<<31, 200)))}, media.CutOff},
		{"more sizes than bytes", [][]byte{moof(head, atom("trun", numbers(0x200, 1<<31, 40)))}, media.Malformed},
		{"largest sizes", [][]byte{moof(atom("tfhd", numbers(0x20010, 1, 1<<32-1)), atom("trun", numbers(1, 1<<32-1, 200)))}, media.CutOff},
		{"samples before the file", [][]byte{moof(head, atom("trun", numbers(1, 25, 1<<31)))}, media.Malformed},
		{"samples at their own fragment", [][]byte{moof(head, atom("trun", numbers(0, 25)))}, media.Malformed},
		{"base behind the file", [][]byte{moof(atom("tfhd", numbers(1, 1, 1<<31, 0)), run)}, media.CutOff},
		{"base that wraps around", [][]byte{moof(atom("tfhd", numbers(1, 1, 1<<31-1, 1<<32-1)), run)}, media.CutOff},
		{"run before its header", [][]byte{moof(run, head)}, media.Malformed},
		{"short run", [][]byte{moof(head, atom("trun", numbers(0)))}, media.Malformed},
		{"short header", [][]byte{moof(atom("tfhd", numbers(0)), run)}, media.Malformed},
		{"missing media", [][]byte{moof(head, atom("trun", numbers(1, mediaSize/10+1, 200)))}, media.CutOff},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := fragmentedMovie(t, 0, 0, none, test.fragments...)
			got, err := media.InspectDelivered(bytes.NewReader(data), int64(len(data)))
			requireProblem(t, test.problem, err)
			require.Zero(t, got)
		})
	}
	data := without(t, fragmentedMovie(t, 0, 0, none, moof(head, run)), "trex")
	_, err := media.InspectDelivered(bytes.NewReader(data), int64(len(data)))
	requireProblem(t, media.Malformed, err)
}

// A fragmented file without a mark of its end may have lost fragments. Bytes whose
// number is proven need none.
func TestFinish(t *testing.T) {
	t.Parallel()
	none := mp4test.Movie{Scale: 1000}
	second := mp4test.Movie{Duration: 1000, Scale: 1000, Frames: 25, Media: make([]byte, 25)}
	fragment := moof(atom("tfhd", numbers(0x20000, 1)), atom("trun", numbers(1, 25, 200)))
	movie := func(mvhd, mehd uint32, samples mp4test.Movie, count int) []byte {
		return fragmentedMovie(t, mvhd, mehd, samples, [][]byte{fragment, fragment, fragment}[:count]...)
	}
	// listed has an index of two of the fragments in front, 0 bytes behind it.
	listed := func(references uint32, total int) []byte {
		data := movie(0, 0, none, 2)
		at := place(t, data, "moof")
		sizes := numbers(0, 1, 1000, 0, 0, references)
		for range references {
			sizes = append(sizes, numbers(uint32(total)/references, 1000, 0)...)
		}
		return bytes.Join([][]byte{data[:at], atom("sidx", sizes), data[at:]}, nil)
	}
	fragments := 2 * (len(fragment) + mediaSize + 8)
	tests := []struct {
		name    string
		data    []byte
		problem media.Problem // empty means finished
	}{
		{"mark", append(movie(0, 0, none, 2), mfra...), ""},
		{"mark that is cut off", append(movie(0, 0, none, 2), mfra[:len(mfra)-1]...), media.Unfinished},
		{"no mark", movie(0, 0, none, 2), media.Unfinished},
		{"no mark, samples in the movie", movie(1000, 0, second, 2), media.Unfinished},
		{"samples in the movie alone", movie(1000, 0, second, 0), media.Unfinished},
		{"declared duration", movie(0, 2000, none, 2), ""},
		{"rounded duration", movie(0, 2001-1, none, 2), ""},
		{"longer declared duration", movie(0, 2040, none, 2), media.CutOff},
		{"duration of the movie header", movie(2000, 0, none, 2), ""},
		{"longer duration of the movie header", movie(3000, 0, none, 2), media.CutOff},
		{"list of fragments", listed(2, fragments), ""},
		{"list of one fragment", listed(1, fragments), media.Unfinished},
		{"list of a part", listed(2, fragments-100), media.Unfinished},
		{"list of more bytes than there are", listed(2, fragments+2), media.CutOff},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := media.InspectMP4(bytes.NewReader(test.data), int64(len(test.data)))
			if test.problem == "" {
				require.NoError(t, err)
			} else {
				requireProblem(t, test.problem, err)
			}
			_, err = media.InspectDelivered(bytes.NewReader(test.data), int64(len(test.data)))
			if test.name != "list of more bytes than there are" {
				require.NoError(t, err)
			}
		})
	}
}
