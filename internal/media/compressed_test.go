package media_test

import (
	"bytes"
	"compress/zlib"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// zlibbed compresses bytes at a level.
func zlibbed(data []byte, level int) []byte {
	var coded bytes.Buffer
	writer, err := zlib.NewWriterLevel(&coded, level)
	if err == nil {
		_, err = writer.Write(data)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		panic(err)
	}
	return coded.Bytes()
}

// compressedIndex is a moov box with zlib data that declare to expand to a size.
func compressedIndex(size uint32, data []byte) []byte {
	return atom("moov", atom("cmov", atom("dcom", []byte("zlib")), atom("cmvd", numbers(size), data)))
}

// QuickTime may compress an index. The places of the samples are those in the file.
func TestCompressedIndex(t *testing.T) {
	t.Parallel()
	const fragmented = "fragments-after-samples.mp4"
	for _, name := range []string{"x264.mov", "b-frames.mp4", "pcm.mov", "x264.mp4", fragmented, "sound-only.mov"} {
		plain := testdata(t, "corpus/"+name)
		want, wantErr := media.Inspect(bytes.NewReader(plain), int64(len(plain)))
		var data []byte
		for _, part := range topBoxes(plain) {
			if string(part[4:8]) == "moov" {
				// Fragments move, and their samples with them.
				index := compressedIndex(uint32(len(part)), zlibbed(part, zlib.BestCompression))
				part = append(index, atom("free", make([]byte, max(0, len(part)-len(index)-8)))...)
			}
			data = append(data, part...)
		}
		got, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
		assert.Equal(t, wantErr, err, name)
		assert.Equal(t, want, got, name)
		if name == fragmented || err != nil {
			continue
		}
		// Without its last sample it is cut off.
		at := place(t, data, "mdat")
		short := slices.Concat(data[:at], numbers(8+1), []byte("mdat\x01"), data[place(t, data, "moov"):])
		_, err = media.Inspect(bytes.NewReader(short), int64(len(short)))
		require.Error(t, err, name)
	}
}

func TestCompressedIndexProblems(t *testing.T) {
	t.Parallel()
	good := tenSeconds.Bytes()
	boxes := topBoxes(good)
	brand, movie, content := boxes[0], boxes[1], boxes[2]
	index := func(movie []byte) []byte { return compressedIndex(uint32(len(movie)), zlibbed(movie, -1)) }
	whole := func(index []byte) []byte { return slices.Concat(brand, content, index) }
	moved := with(t, movie, "stco", 8, uint32(len(brand)+8))
	coded := zlibbed(moved, -1)
	size := uint32(len(moved))
	flipped := bytes.Clone(coded)
	flipped[len(flipped)-1] ^= 1
	tests := []struct {
		name    string
		index   []byte
		problem media.Problem // empty for a video
		text    string
	}{
		{"ordinary", index(moved), "", ""},
		{"declares more", compressedIndex(size+1000, coded), "", ""},
		{"bytes behind the data", compressedIndex(size, append(bytes.Clone(coded), "junk"...)), "", ""},
		{"other boxes", atom("moov", atom("free"), index(moved)[8:], atom("udta")), "", ""},
		{"declares less", compressedIndex(size-1, coded), media.Malformed, "longer than it declares"},
		{"declares nothing", compressedIndex(0, coded), media.Malformed, "longer than it declares"},
		{"data that are cut off", compressedIndex(size, coded[:len(coded)/2]), media.Malformed, "can't be decompressed"},
		{"no checksum", compressedIndex(size, coded[:len(coded)-4]), media.Malformed, "can't be decompressed"},
		{"wrong checksum", compressedIndex(size, flipped), media.Malformed, "checksum"},
		{"no zlib", compressedIndex(size, moved), media.Malformed, "can't be decompressed"},
		{"no data", compressedIndex(size, nil), media.Malformed, "can't be decompressed"},
		{"dictionary", compressedIndex(size, []byte{0x78, 0xbb, 1, 2, 3, 4}), media.Malformed, "can't be decompressed"},
		{"another coding", bytes.Replace(index(moved), []byte("dcomzlib"), []byte("dcomADEC"), 1), media.Malformed, "no zlib data"},
		{"no coding", bytes.Replace(index(moved), []byte("dcom"), []byte("none"), 1), media.Malformed, "no zlib data"},
		{"no data box", bytes.Replace(index(moved), []byte("cmvd"), []byte("none"), 1), media.Malformed, "no zlib data"},
		{"short data box", atom("moov", atom("cmov", atom("dcom", []byte("zlib")), atom("cmvd", []byte{1}))), media.Malformed, "too short"},
		{"empty", index(nil), media.Malformed, "no moov box"},
		{"no index", index(atom("free", make([]byte, 100))), media.Malformed, "no moov box"},
		{"compressed twice", index(index(moved)), media.NoPicture, "no tracks"},
		{"malformed", index(with(t, moved, "stsz", 8, math.MaxUint32)), media.Malformed, "in its compressed index: its stsz box at byte"},
		{"no tracks", index(atom("moov")), media.NoPicture, "no tracks"},
		{"no samples", index(with(t, moved, "stsz", 8, 0)), media.NoPicture, "no samples"},
		{"samples behind the file", index(with(t, moved, "stco", 8, math.MaxUint32)), media.CutOff, "cut off"},
		{"samples in the index", append(index(with(t, moved, "stco", 8, uint32(len(brand)+len(content)))), make([]byte, 1000)...), media.Malformed, "where its moov box is"},
		{"samples that are cut off", index(with(t, moved, "stco", 8, uint32(len(brand)+len(content)+400))), media.CutOff, "cut off"},
		{"over the limit", compressedIndex(4<<20+1, zlibbed(make([]byte, 4<<20+1), -1)), media.Excessive, "more than 4 MB"},
		{"declares 4 GB", compressedIndex(math.MaxUint32, coded), media.Excessive, "more than 4 MB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := whole(test.index)
			video, err := media.Inspect(bytes.NewReader(data), int64(len(data)))
			if test.problem == "" {
				require.NoError(t, err)
				assert.Equal(t, media.Video{Duration: 9960 * time.Millisecond, Frame: 41500 * time.Microsecond, Width: 1280, Height: 720, Extension: ".mp4"}, video)
				return
			}
			requireProblem(t, test.problem, err)
			require.ErrorContains(t, err, test.text)
			requirePlace(t, int64(len(data)), err)
		})
	}
}
