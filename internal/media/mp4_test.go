package media_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
	"lumaflow/test/mp4test"
)

// The moov box of clip.mp4 is the last, so no missing byte goes unnoticed.
func TestTruncatedMP4(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "clip.mp4"))
	require.NoError(t, err)
	for n := range data {
		_, err := media.InspectMP4(bytes.NewReader(data[:n]), int64(n))
		require.Error(t, err, "the first %d bytes", n)
	}
}

func TestInspectMP4(t *testing.T) {
	t.Parallel()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	mp4, mov, movie := fileType("isom"), fileType("qt  "), mp4test.Movie(9960, 1000, 1280, 720)
	mdat := atom("mdat", make([]byte, 100))
	header := func(size uint32, kind string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, size), kind...)
	}
	long := func(kind string, size uint64, payload ...byte) []byte {
		return append(binary.BigEndian.AppendUint64(header(1, kind), size), payload...)
	}
	movieTime := func(version byte, scale uint32, units uint64) []byte {
		mvhd := make([]byte, 112)
		mvhd[0] = version
		if version == 0 {
			mvhd = mvhd[:100]
			binary.BigEndian.PutUint32(mvhd[12:], scale)
			binary.BigEndian.PutUint32(mvhd[16:], uint32(units))
		} else {
			binary.BigEndian.PutUint32(mvhd[20:], scale)
			binary.BigEndian.PutUint64(mvhd[24:], units)
		}
		return join(mp4, atom("moov", atom("mvhd", mvhd)))
	}
	plain := media.Video{Duration: 9960 * time.Millisecond, Width: 1280, Height: 720, Extension: ".mp4"}
	quick := plain
	quick.Extension = ".mov"
	lasting := func(d time.Duration) media.Video { return media.Video{Duration: d, Extension: ".mp4"} }

	tests := []struct {
		name string
		data []byte
		want media.Video
		text string // of the error, empty for success
	}{
		{"movie first", join(mp4, movie, mdat), plain, ""},
		{"media first", join(mp4, mdat, movie), plain, ""},
		{"QuickTime", join(mov, mdat, movie), quick, ""},
		{"QuickTime without ftyp", join(atom("wide"), mdat, movie), quick, ""},
		{"long box", join(mp4, movie, long("mdat", 20, 1, 2, 3, 4)), plain, ""},
		{"long movie", join(mp4, append(long("moov", uint64(len(movie)+8)), movie[8:]...), mdat), plain, ""},
		{"box to the end", join(mp4, movie, header(0, "mdat"), make([]byte, 9)), plain, ""},
		{"unknown boxes", join(mp4, atom("c2pa", []byte("x")), movie, mdat, atom("uuid", make([]byte, 16))), plain, ""},
		{"empty movie", join(mp4, atom("moov"), mdat), lasting(0), ""},
		{"long duration field", movieTime(1, 600, 6000), lasting(10 * time.Second), ""},
		{"odd time scale", movieTime(0, 30000, 29999), lasting(999966666 * time.Nanosecond), ""},
		{"no time scale", movieTime(0, 0, 5), lasting(0), ""},
		{"duration not declared", movieTime(0, 1, math.MaxUint32), lasting(0), ""},
		{"long duration not declared", movieTime(1, 1, math.MaxUint64), lasting(0), ""},
		{"duration that overflows", movieTime(1, 1, math.MaxUint64-1), lasting(0), ""},

		{"empty", nil, media.Video{}, "empty"},
		{"text", []byte("<html>not a video</html>"), media.Video{}, "begin"},
		{"zeros", make([]byte, 100), media.Video{}, "begin"},
		{"less than a header", []byte{0, 0, 0}, media.Video{}, "cut off"},
		{"no movie", join(mp4, mdat), media.Video{}, "no moov"},
		{"two movies", join(mp4, movie, movie), media.Video{}, "two moov"},
		{"cut media", join(mp4, movie, mdat[:50]), media.Video{}, "cut off"},
		{"cut movie", join(mp4, mdat, movie[:len(movie)-1]), media.Video{}, "cut off"},
		{"junk at the end", join(mp4, movie, mdat, []byte("junk")), media.Video{}, "cut off"},
		{"zeros at the end", join(mp4, movie, mdat, make([]byte, 64)), media.Video{}, "no box"},
		{"box shorter than its header", join(mp4, header(7, "free"), movie), media.Video{}, "shorter"},
		{"long box shorter than its header", join(mp4, movie, long("mdat", 15)), media.Video{}, "shorter"},
		{"long box cut in its header", join(mp4, movie, header(1, "mdat"), make([]byte, 7)), media.Video{}, "cut off"},
		{"long box of negative length", join(mp4, movie, long("mdat", math.MaxUint64)), media.Video{}, "cut off"},
		{"long box that wraps around", join(mp4, movie, long("mdat", math.MaxInt64)), media.Video{}, "cut off"},
		{"short ftyp", join(atom("ftyp", []byte("isom")), movie), media.Video{}, "ftyp"},
		{"movie filled with zeros", join(mp4, atom("moov", make([]byte, 200)), mdat), media.Video{}, "no box"},
		{"movie filled with zeros, at the end", join(mp4, mdat, atom("moov", make([]byte, 200))), media.Video{}, "no box"},
		{"track larger than its movie", join(mp4, atom("moov", header(100, "trak")), mdat), media.Video{}, "runs past the moov"},
		{"track to the end", join(mp4, atom("moov", header(0, "trak"))), media.Video{}, "no box"},
		{"short mvhd", join(mp4, atom("moov", atom("mvhd", make([]byte, 40)))), media.Video{}, "mvhd"},
		{"oversized mvhd", join(mp4, atom("moov", atom("mvhd", make([]byte, 5000)))), media.Video{}, "too long"},
		{"mvhd of an unknown version", join(mp4, atom("moov", atom("mvhd", bytes.Repeat([]byte{9}, 112)))), media.Video{}, "mvhd"},
		{"short tkhd", join(mp4, atom("moov", atom("trak", atom("tkhd", make([]byte, 40))))), media.Video{}, "tkhd"},
		{"too many boxes", join(mp4, bytes.Repeat(atom("free"), 1<<16)), media.Video{}, "more than"},
		{"too many tracks", join(mp4, atom("moov", bytes.Repeat(atom("trak"), 1<<16))), media.Video{}, "more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := media.InspectMP4(bytes.NewReader(test.data), int64(len(test.data)))
			assert.Equal(t, test.want, got)
			if test.text == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.text)
			}
		})
	}
}
