package media_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
	"lumaflow/test/mp4test"
)

// Layout is of no importance as long as the index finds all samples.
func TestLayouts(t *testing.T) {
	t.Parallel()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	good := tenSeconds.Bytes()
	boxes := topBoxes(good)
	brand, movie, content := boxes[0], boxes[1], boxes[2]
	last := func(size uint32, kind string, extra ...byte) []byte {
		return join(brand, movie, append(numbers(size), kind...), extra, content[8:])
	}
	quick := tenSeconds
	quick.Brand = "qt  "
	// The offset of the samples does not change: ftyp, moov and the header of mdat
	// have as many bytes as before.
	padded := func(more ...byte) []byte {
		return join(brand, with(t, atom("moov", movie[8:], more), "stco", 8, uint32(len(brand)+len(movie)+len(more)+8)), content)
	}
	plain := media.Video{Duration: 9960 * time.Millisecond, Frame: 41500 * time.Microsecond, Width: 1280, Height: 720, Extension: ".mp4"}
	mov := plain
	mov.Extension = ".mov"
	tests := []struct {
		name string
		data []byte
		want media.Video
	}{
		{"ordinary", good, plain},
		{"QuickTime", quick.Bytes(), mov},
		{"no ftyp", with(t, join(movie, content), "stco", 8, uint32(len(movie)+8)), mov},
		{"media first", with(t, join(brand, content, movie), "stco", 8, uint32(len(brand)+8)), plain},
		{"media in a box of another kind", join(brand, movie, append(numbers(uint32(len(content))), "abcd"...), content[8:]), plain},
		{"media box to the end of the file", last(0, "mdat"), plain},
		{"media box that is too short", last(12, "mdat"), plain},
		{"media box that is too long", last(1<<30, "mdat"), plain},
		{"box shorter than its header", join(good, numbers(7), []byte("free")), plain},
		{"bytes behind the last box", join(good, []byte("junk")), plain},
		{"zeros behind the last box", join(good, make([]byte, 4096)), plain},
		{"text behind the last box", join(good, []byte("camera-trailer-magic")), plain},
		{"two indexes", join(good, movie), plain},
		{"a second index that is cut off", join(good, movie[:100]), plain},
		{"a second index without tracks", join(good, atom("moov")), plain},
		{"unknown boxes", join(good, atom("c2pa", []byte("x")), atom("uuid", make([]byte, 16))), plain},
		{"four zero bytes at the end of the index", padded(0, 0, 0, 0), plain},
		{"many zero bytes at the end of the index", padded(make([]byte, 64)...), plain},
		{"a box that runs past the index", padded(0, 0, 1, 0, 'f', 'r', 'e', 'e'), plain},
		{"a repeated sample table", padded(atom("trak")...), plain},
		{"long index", with(t, join(brand, numbers(1), []byte("moov"), numbers(0, uint32(len(movie)+8)), movie[8:], content), "stco", 8, uint32(len(brand)+len(movie)+16)), plain},
		{"no movie header", without(t, good, "mvhd"), plain},
		{"movie header of another version", with(t, good, "mvhd", 0, 9<<24), plain},
		{"movie header without a duration", with(t, good, "mvhd", 16, 0), plain},
		{"movie header with a shorter duration", with(t, good, "mvhd", 16, 5000), plain},
		{"size in the sample description", with(t, with(t, good, "tkhd", 76, 0, 0), "raw ", 24, 640<<16|360), func() media.Video {
			small := plain
			small.Width, small.Height = 640, 360
			return small
		}()},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := media.InspectMP4(bytes.NewReader(test.data), int64(len(test.data)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	good := tenSeconds.Bytes()
	boxes := topBoxes(good)
	brand, movie, content := boxes[0], boxes[1], boxes[2]
	tests := []struct {
		name    string
		data    []byte
		problem media.Problem
		text    string
	}{
		{"empty", nil, media.NotVideo, "empty"},
		{"text", []byte("<html>not a video</html>"), media.NotVideo, "begin"},
		{"zeros", make([]byte, 100), media.NotVideo, "begin"},
		{"less than a header", []byte{0, 0, 0}, media.NotVideo, "begin"},
		{"no index", append(bytes.Clone(brand), content...), media.NoIndex, "no index"},
		{"media that are cut off before the index", append(bytes.Clone(brand), content[:50]...), media.CutOff, "cut off"},
		{"index that is cut off", append(bytes.Clone(brand), movie[:len(movie)-1]...), media.CutOff, "cut off"},
		{"media that are cut off", good[:len(good)-1], media.CutOff, "cut off: 1000 bytes of its track 1 are at byte"},
		{"no media", append(bytes.Clone(brand), movie...), media.CutOff, "cut off"},
		{"index without tracks", append(bytes.Clone(brand), atom("moov")...), media.NoPicture, "no tracks"},
		{"index of zeros", append(bytes.Clone(brand), atom("moov", make([]byte, 200))...), media.NoPicture, "no tracks"},
		{"track without boxes", append(bytes.Clone(brand), atom("moov", atom("trak"))...), media.NoPicture, "no picture track"},
		{"sound alone", bytes.Replace(good, []byte("vide"), []byte("soun"), 1), media.NoPicture, `(its tracks: "soun")`},
		{"no sample sizes", without(t, good, "stsz"), media.NoPicture, "no samples"},
		{"no samples", with(t, good, "stsz", 8, 0), media.NoPicture, "no samples"},
		{"samples of no bytes", with(t, good, "stsz", 12, make([]uint32, 240)...), media.NoPicture, "no samples"},
		{"no chunks", without(t, good, "stco"), media.Malformed, "no place"},
		{"no runs of chunks", without(t, good, "stsc"), media.Malformed, "no place"},
		{"fewer places than samples", with(t, good, "stsc", 12, 100), media.Malformed, "140 samples of its track 1 have no place"},
		{"no samples in the first chunk", with(t, good, "stsc", 8, 2), media.Malformed, "first samples"},
		{"no durations", without(t, good, "stts"), media.Malformed, "no durations"},
		{"no entries of durations", with(t, good, "stts", 4, 0), media.Malformed, "no durations"},
		{"description without a size", with(t, good, "stsd", 8, 1), media.NoPicture, "no codec"},
		{"description that is too long", with(t, good, "stsd", 8, 1000), media.NoPicture, "no codec"},
		{"no codec", with(t, good, "stsd", 4, 0), media.NoPicture, "no codec"},
		{"more sizes than bytes", with(t, good, "stsz", 8, math.MaxUint32), media.Malformed, "more entries than it has bytes"},
		{"more chunks than bytes", with(t, good, "stco", 4, math.MaxUint32), media.Malformed, "more entries"},
		{"more durations than bytes", with(t, good, "stts", 4, math.MaxUint32), media.Malformed, "more entries"},
		{"samples larger than the file", with(t, good, "stsz", 4, math.MaxUint32), media.CutOff, "cut off"},
		{"samples behind the file", with(t, good, "stco", 8, math.MaxUint32), media.CutOff, "cut off"},
		{"samples in the index", with(t, good, "stco", 8, 0), media.Malformed, `where its ftyp box is`},
		{"edit list without a movie header", without(t, testdata(t, "corpus/b-frames.mp4"), "mvhd"), media.Malformed, "no time scale"},
		{"short track header", with(t, good, "tkhd", -8, 40), media.Malformed, "tkhd"},
		{"short handler", with(t, good, "hdlr", -8, 12), media.Malformed, "too short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := media.InspectMP4(bytes.NewReader(test.data), int64(len(test.data)))
			requireProblem(t, test.problem, err)
			require.ErrorContains(t, err, test.text)
			require.Zero(t, got)
		})
	}
}

// The duration is that of the samples, as far as the edit list shows them.
func TestDurations(t *testing.T) {
	t.Parallel()
	movie := func(change ...func([]byte) []byte) []byte {
		data := tenSeconds.Bytes()
		for _, apply := range change {
			data = apply(data)
		}
		return data
	}
	set := func(kind string, offset int, fields ...uint32) func([]byte) []byte {
		return func(data []byte) []byte { return with(t, data, kind, offset, fields...) }
	}
	// An edit list of 4 s, or of another number of milliseconds, in place of the movie header's last fields.
	edits := func(fields ...uint32) func([]byte) []byte {
		return func(data []byte) []byte {
			at := place(t, data, "trak")
			list := atom("edts", atom("elst", numbers(fields...)))
			data = bytes.Join([][]byte{data[:at+8], list, data[at+8:]}, nil)
			data = with(t, data, "trak", -8, uint32(len(list)+int(data[at+2])<<8+int(data[at+3])))
			movieAt := place(t, data, "moov")
			data = with(t, data, "moov", -8, uint32(len(list)+int(data[movieAt+2])<<8+int(data[movieAt+3])))
			return with(t, data, "stco", 8, uint32(place(t, data, "mdat")+8))
		}
	}
	tests := []struct {
		name string
		data []byte
		want time.Duration
	}{
		{"samples", movie(), 9960 * time.Millisecond},
		{"odd time scale", movie(set("mvhd", 16, 0), set("mdhd", 12, 30000)), 332 * time.Millisecond},
		{"longer movie header", movie(set("mvhd", 16, 20_000)), 20 * time.Second},
		{"shorter movie header", movie(set("mvhd", 16, 20)), 9960 * time.Millisecond},
		{"long run of samples", movie(set("stts", 8, 240, 1000, 0, 0)), 240 * time.Second},
		{"durations of more samples than there are", movie(set("stts", 8, math.MaxUint32, 1000, math.MaxUint32, 1000)), 240 * time.Second},
		{"endless", movie(set("mdhd", 12, 1), set("stts", 8, 240, math.MaxUint32, 0, 0)), 365 * 24 * time.Hour},
		{"no time scale", movie(set("mdhd", 12, 0)), 9960 * time.Millisecond},
		{"samples without durations", movie(set("stts", 8, 240, 0, 0, 0)), 9960 * time.Millisecond},
		{"neither durations nor a movie header", without(t, movie(set("stts", 8, 240, 0, 0, 0)), "mvhd"), 0},
		{"movie header without a duration", movie(set("stts", 8, 240, 0, 0, 0), set("mvhd", 16, math.MaxUint32)), 0},
		{"edit list", movie(set("mvhd", 16, 0), edits(0, 1, 4000, 0, 1<<16)), 4 * time.Second},
		{"edit list with a delay", movie(set("mvhd", 16, 0), edits(0, 2, 3000, math.MaxUint32, 1<<16, 4000, 0, 1<<16)), 4 * time.Second},
		{"edit list of version 1", movie(set("mvhd", 16, 0), edits(1<<24, 1, 0, 4000, 0, 0, 1<<16)), 4 * time.Second},
		{"edit list without a duration", movie(set("mvhd", 16, 0), edits(0, 1, 0, 0, 1<<16)), 9960 * time.Millisecond},
		{"edit list that is too short", movie(set("mvhd", 16, 0), edits(0, 9, 4000, 0, 1<<16)), 4 * time.Second},
		{"edit list beyond the samples", movie(set("mvhd", 16, 0), edits(0, 1, 20_000, 0, 1<<16)), 9960 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := media.InspectMP4(bytes.NewReader(test.data), int64(len(test.data)))
			require.NoError(t, err)
			assert.Equal(t, test.want, got.Duration)
		})
	}
}

// Compact sizes are of 4, 8 or 16 bits.
func TestCompactSizes(t *testing.T) {
	t.Parallel()
	for bits, sizes := range map[uint32][]byte{4: {0x12, 0x30}, 8: {1, 2, 3}, 16: {0, 1, 0, 2, 0, 3}} {
		movie := mp4test.Movie{Duration: 3, Scale: 1, Frames: 3, Media: make([]byte, 6)}.Bytes()
		movie = with(t, bytes.Replace(movie, []byte("stsz"), []byte("stz2"), 1), "stz2", 4, bits)
		copy(movie[place(t, movie, "stz2")+20:], slices.Concat(sizes, make([]byte, 12))[:12])
		_, err := media.InspectMP4(bytes.NewReader(movie), int64(len(movie)))
		require.NoError(t, err, "%d bits", bits)
		_, err = media.InspectMP4(bytes.NewReader(movie[:len(movie)-1]), int64(len(movie)-1))
		requireProblem(t, media.CutOff, err)
		_, err = media.InspectMP4(bytes.NewReader(with(t, movie, "stz2", 4, bits+1)), int64(len(movie)))
		requireProblem(t, media.Malformed, err)
	}
}
