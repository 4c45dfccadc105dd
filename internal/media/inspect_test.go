package fetch_test

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

	"lumaflow/internal/fetch"
)

// Files as encoders write them.
func TestInspectRealFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, contentType string
		want              fetch.Video
	}{
		{"clip.mp4", "video/mp4", fetch.Video{Duration: 1200 * time.Millisecond, Width: 160, Height: 90, Extension: ".mp4"}},
		{"clip.mov", "video/quicktime", fetch.Video{Duration: 1200 * time.Millisecond, Width: 160, Height: 90, Extension: ".mov"}},
		{"fragmented.mp4", "video/mp4", fetch.Video{Duration: 1400 * time.Millisecond, Width: 160, Height: 90, Extension: ".mp4"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", test.name)
			got, err := fetch.Inspect(path)
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.contentType, got.ContentType())

		})
	}
}

// This one has its moov at the end, so that each missing byte shows.
func TestInspectCutFile(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "clip.mp4"))
	require.NoError(t, err)
	for n := range data {
		_, err := fetch.InspectReader(bytes.NewReader(data[:n]), int64(n))
		require.Error(t, err, "the first %d bytes", n)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	mp4, mov, movie := fileType("isom"), fileType("qt  "), movieHeader()
	media := atom("mdat", make([]byte, 100))
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
	plain := fetch.Video{Duration: 9960 * time.Millisecond, Width: 1280, Height: 720, Extension: ".mp4"}
	quick := plain
	quick.Extension = ".mov"
	lasting := func(d time.Duration) fetch.Video { return fetch.Video{Duration: d, Extension: ".mp4"} }

	tests := []struct {
		name string
		data []byte
		want fetch.Video
		text string // of the error
	}{
		{"movie first", join(mp4, movie, media), plain, ""},
		{"media first", join(mp4, media, movie), plain, ""},
		{"QuickTime", join(mov, media, movie), quick, ""},
		{"QuickTime from before ftyp", join(atom("wide"), media, movie), quick, ""},
		{"long box", join(mp4, movie, long("mdat", 20, 1, 2, 3, 4)), plain, ""},
		{"long movie", join(mp4, append(long("moov", uint64(len(movie)+8)), movie[8:]...), media), plain, ""},
		{"box to the end", join(mp4, movie, header(0, "mdat"), make([]byte, 9)), plain, ""},
		{"unknown boxes", join(mp4, atom("c2pa", []byte("x")), movie, media, atom("uuid", make([]byte, 16))), plain, ""},
		{"empty movie", join(mp4, atom("moov"), media), lasting(0), ""},
		{"long duration field", movieTime(1, 600, 6000), lasting(10 * time.Second), ""},
		{"odd time scale", movieTime(0, 30000, 29999), lasting(999966666 * time.Nanosecond), ""},
		{"no time scale", movieTime(0, 0, 5), lasting(0), ""},
		{"duration not known", movieTime(0, 1, math.MaxUint32), lasting(0), ""},
		{"long duration not known", movieTime(1, 1, math.MaxUint64), lasting(0), ""},
		{"endless duration", movieTime(1, 1, math.MaxUint64-1), lasting(0), ""},

		{"empty", nil, fetch.Video{}, "empty"},
		{"text", []byte("<html>not a video</html>"), fetch.Video{}, "begin"},
		{"zeros", make([]byte, 100), fetch.Video{}, "begin"},
		{"less than a header", []byte{0, 0, 0}, fetch.Video{}, "cut off"},
		{"no movie", join(mp4, media), fetch.Video{}, "no moov"},
		{"two movies", join(mp4, movie, movie), fetch.Video{}, "two moov"},
		{"cut media", join(mp4, movie, media[:50]), fetch.Video{}, "cut off"},
		{"cut movie", join(mp4, media, movie[:len(movie)-1]), fetch.Video{}, "cut off"},
		{"junk at the end", join(mp4, movie, media, []byte("junk")), fetch.Video{}, "cut off"},
		{"zeros at the end", join(mp4, movie, media, make([]byte, 64)), fetch.Video{}, "no box"},
		{"box shorter than its header", join(mp4, header(7, "free"), movie), fetch.Video{}, "shorter"},
		{"long box shorter than its header", join(mp4, movie, long("mdat", 15)), fetch.Video{}, "shorter"},
		{"long box cut in its header", join(mp4, movie, header(1, "mdat"), make([]byte, 7)), fetch.Video{}, "cut off"},
		{"long box of negative length", join(mp4, movie, long("mdat", math.MaxUint64)), fetch.Video{}, "cut off"},
		{"long box that wraps around", join(mp4, movie, long("mdat", math.MaxInt64)), fetch.Video{}, "cut off"},
		{"short ftyp", join(atom("ftyp", []byte("isom")), movie), fetch.Video{}, "ftyp"},
		{"movie of zeros", join(mp4, atom("moov", make([]byte, 200)), media), fetch.Video{}, "no box"},
		{"movie of zeros at the end", join(mp4, media, atom("moov", make([]byte, 200))), fetch.Video{}, "no box"},
		{"track larger than its movie", join(mp4, atom("moov", header(100, "trak")), media), fetch.Video{}, "runs past the moov"},
		{"track to the end", join(mp4, atom("moov", header(0, "trak"))), fetch.Video{}, "no box"},
		{"short mvhd", join(mp4, atom("moov", atom("mvhd", make([]byte, 40)))), fetch.Video{}, "mvhd"},
		{"endless mvhd", join(mp4, atom("moov", atom("mvhd", make([]byte, 5000)))), fetch.Video{}, "too long"},
		{"mvhd of a future version", join(mp4, atom("moov", atom("mvhd", bytes.Repeat([]byte{9}, 112)))), fetch.Video{}, "mvhd"},
		{"short tkhd", join(mp4, atom("moov", atom("trak", atom("tkhd", make([]byte, 40))))), fetch.Video{}, "tkhd"},
		{"endless boxes", join(mp4, bytes.Repeat(atom("free"), 1<<16)), fetch.Video{}, "more than"},
		{"endless tracks", join(mp4, atom("moov", bytes.Repeat(atom("trak"), 1<<16))), fetch.Video{}, "more than"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "video")
			require.NoError(t, os.WriteFile(path, test.data, 0o600))
			got, err := fetch.Inspect(path)
			assert.Equal(t, test.want, got)
			if test.text == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.text)
			}
		})
	}
}

func TestInspectNoFile(t *testing.T) {
	t.Parallel()
	_, err := fetch.Inspect(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = fetch.Inspect(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
}

func TestContentRange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		header             string
		first, last, total int64
		ok                 bool
	}{
		{"bytes 0-99/1000", 0, 99, 1000, true},
		{"bytes 999-999/1000", 999, 999, 1000, true},
		{"bytes 5-9/*", 5, 9, -1, true},
		{"bytes */1000", -1, -1, 1000, true},
		{"Bytes 0-0/1", 0, 0, 1, true},
		{" bytes  0-0/1 ", 0, 0, 1, true},
		{"", 0, 0, 0, false},
		{"bytes", 0, 0, 0, false},
		{"bytes */*", 0, 0, 0, false},
		{"bytes 0-99", 0, 0, 0, false},
		{"bytes 9-5/100", 0, 0, 0, false},
		{"bytes 0-100/100", 0, 0, 0, false},
		{"bytes -1-5/100", 0, 0, 0, false},
		{"bytes +1-5/100", 0, 0, 0, false},
		{"bytes 1-/100", 0, 0, 0, false},
		{"bytes 1/100", 0, 0, 0, false},
		{"bytes 0x1-5/100", 0, 0, 0, false},
		{"bytes 1_0-50/100", 0, 0, 0, false},
		{"bytes 0-5/9223372036854775808", 0, 0, 0, false},
		{"bytes 0-9223372036854775807/*", 0, 0, 0, false},
		{"items 0-5/100", 0, 0, 0, false},
		{"bytes=0-5/100", 0, 0, 0, false},
	}
	for _, test := range tests {
		first, last, total, err := fetch.ParseContentRange(test.header)
		assert.Equal(t, test.ok, err == nil, test.header)
		if test.ok {
			assert.Equal(t, []int64{test.first, test.last, test.total}, []int64{first, last, total}, test.header)
		}
	}
}
