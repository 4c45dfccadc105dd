package media_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
	"lumaflow/test/mp4test"
)

const (
	gigabyte = 1 << 30
	// maxAllocated is the limit of the memory of an inspection; all allocations
	// together stay below it.
	maxAllocated = 20_000_000
	// maxRead is the largest index and all headers that an inspection reads, in bytes,
	// and maxReads the number of its reads. Its time grows with them alone.
	maxRead, maxReads = 17 << 20, 1 << 20
)

// repeated is a file of a gigabyte: a head, and a pattern until the end.
type repeated struct{ head, pattern []byte }

func (r repeated) ReadAt(into []byte, at int64) (int, error) {
	for i := range into {
		if at+int64(i) < int64(len(r.head)) {
			into[i] = r.head[at+int64(i)]
		} else {
			into[i] = r.pattern[(at+int64(i)-int64(len(r.head)))%int64(len(r.pattern))]
		}
	}
	return len(into), nil
}

// counted counts the reads and their bytes.
type counted struct {
	io.ReaderAt
	reads, bytes int64
}

func (c *counted) ReadAt(into []byte, at int64) (int, error) {
	c.reads++
	c.bytes += int64(len(into))
	return c.ReaderAt.ReadAt(into, at)
}

// inspect inspects a file and holds the limits.
func inspect(t testing.TB, file io.ReaderAt, size int64) (media.Video, error) {
	t.Helper()
	var before, after runtime.MemStats
	reads := &counted{ReaderAt: file}
	runtime.ReadMemStats(&before)
	video, err := media.Inspect(reads, size)
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, reads.bytes, int64(maxRead), "bytes read")
	assert.LessOrEqual(t, reads.reads, int64(maxReads), "reads")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(maxAllocated), "bytes allocated")
	return video, err
}

// badInput is a file of a gigabyte, and its problem, empty for a video.
type badInput struct {
	name    string
	file    repeated
	problem media.Problem
}

func badInputs(t testing.TB) []badInput {
	t.Helper()
	header := func(size uint32, kind string) []byte { return append(numbers(size), kind...) }
	large := func(kind string, fields ...uint32) []byte {
		return slices.Concat(header(1, kind), numbers(0, 1<<30), numbers(fields...))
	}
	good := tenSeconds.Bytes()
	// tables has one box of the sample table in place of stco, up to the end of the file.
	tables := func(kind string, fields ...uint32) []byte {
		head := bytes.Clone(good[:place(t, good, "stco")])
		for _, around := range []string{"moov", "trak", "mdia", "minf", "stbl"} {
			copy(head[place(t, head, around):], numbers(0))
		}
		copy(head[place(t, head, "moov"):], numbers(gigabyte/2))
		head = with(t, with(t, head, "stsz", 4, 1, 1<<32-1), "stsc", 12, 1)
		return append(head, large(kind, fields...)...)
	}
	var nested []byte
	for range 1 << 17 {
		nested = append(nested, header(0, "trak")...)
	}
	sizes := func(count uint32) []byte { return atom("stsz", numbers(0, 0, count)) }
	sampleTable := atom("moov", atom("trak", atom("mdia", atom("hdlr", make([]byte, 8), []byte("vide")), atom("minf", atom("stbl", sizes(1))))))
	run := atom("trun", numbers(0x1, 1<<32-1, 8))
	fragment := atom("moof", atom("traf", atom("tfhd", numbers(0x20018, 1, 1<<32-1, 1<<32-1)), bytes.Repeat(run, 1000)))
	endless := with(t, good, "mdhd", 12, 1)
	return []badInput{
		{"empty boxes", repeated{fileType("isom"), header(8, "free")}, media.Excessive},
		{"empty boxes behind a video", repeated{good, header(8, "free")}, media.Excessive},
		{"empty fragments", repeated{good, header(8, "moof")}, media.Excessive},
		{"empty indexes", repeated{fileType("isom"), header(8, "moov")}, media.Excessive},
		{"empty tracks", repeated{append(fileType("isom"), header(0, "moov")...), header(8, "trak")}, media.Excessive},
		{"track headers", repeated{append(fileType("isom"), header(0, "moov")...), atom("trak", atom("tkhd", make([]byte, 84)))}, media.Excessive},
		{"sample tables", repeated{append(fileType("isom"), header(0, "moov")...), sampleTable[8:]}, media.Excessive},
		{"boxes within boxes", repeated{slices.Concat(fileType("isom"), header(0, "moov"), nested), []byte{0}}, media.NoPicture},
		{"many chunks", repeated{tables("stco", 0, 1<<26), numbers(gigabyte - 1)}, media.Excessive},
		{"many chunks of 64 bits", repeated{tables("co64", 0, 1<<25), numbers(1<<31, 0)}, media.CutOff},
		{"chunk that wraps around", repeated{tables("co64", 0, 1<<25), numbers(1<<32-1, 1<<32-1)}, media.CutOff},
		{"more chunks than a file has", repeated{tables("stco", 0, 1<<32-1), numbers(4000)}, media.Malformed},
		{"many sizes", repeated{with(t, tables("stco", 0, 1), "stsz", 8, 1<<32-1), []byte{1}}, media.Malformed},
		{"fragments of many samples", repeated{fragmentedMovie(t, 0, 0, mp4test.Movie{Scale: 1000}, fragment), []byte{0}}, media.CutOff},
		{"one sample of the largest size", repeated{with(t, good, "stsz", 4, 1<<32-1, 1), []byte{0}}, media.CutOff},
		{"long list of fragments", repeated{slices.Concat(good, header(0, "sidx"), numbers(0, 1, 1, 0, 0, 1<<16-1)), numbers(1 << 30)}, media.CutOff},
		{"samples of 2^60 bytes", repeated{with(t, with(t, good, "stsz", 4, 1<<28, 1<<32-1), "stsc", 8, 1, 1<<32-1), []byte{0}}, media.CutOff},
		{"runs of 2^60 bytes", repeated{fragmentedMovie(t, 0, 0, mp4test.Movie{Scale: 1000}, moof(atom("tfhd", numbers(0x20010, 1, 1<<28)), run)), []byte{0}}, media.CutOff},
		{"samples of 2^60 s", repeated{with(t, endless, "stts", 8, 240, 1<<32-1, 0, 0), []byte{0}}, ""},
		{"table that covers the next one", repeated{with(t, good, "stsz", -8, 4000), []byte{0}}, media.Malformed},
		{"table that ends in its entries", repeated{with(t, good, "stsz", -8, 500), []byte{0}}, media.Malformed},
		{"tables in one place", repeated{bytes.ReplaceAll(bytes.ReplaceAll(good, []byte("stsc"), []byte("free")), []byte("stts"), []byte("stsc")), []byte{0}}, media.Malformed},
		{"fragment before the beginning", repeated{fragmentedMovie(t, 0, 0, mp4test.Movie{Scale: 1000}, moof(atom("tfhd", numbers(0x20000, 1)), atom("trun", numbers(1, 1, 1<<31)))), []byte{0}}, media.Malformed},
		{"fragment that wraps around", repeated{fragmentedMovie(t, 0, 0, mp4test.Movie{Scale: 1000}, moof(atom("tfhd", numbers(1, 1, 1<<32-1, 1<<32-8)), atom("trun", numbers(1, 1, 16)))), []byte{0}}, media.CutOff},
		{"nested lists", repeated{[]byte("RIFF\x00\x00\x00\x00AVI "), []byte("LIST\xff\xff\xff\xffhdrl")}, media.Excessive},
		{"empty streams", repeated{[]byte("RIFF\x00\x00\x00\x00AVI "), append([]byte("strh\x24\x00\x00\x00"), make([]byte, 36)...)}, media.Excessive},
		{"stream formats", repeated{testdata(t, "corpus/pipe.avi"), append([]byte("strf\x0c\x00\x00\x00"), make([]byte, 12)...)}, media.Excessive},
		{"empty chunks", repeated{slices.Concat([]byte("RIFF\x00\x00\x00\x00AVI ")), []byte("LIST\x04\x00\x00\x00movi")}, media.Excessive},
		{"empty frames", repeated{testdata(t, "corpus/pipe.avi"), []byte("00dc\x00\x00\x00\x00")}, media.Excessive},
	}
}

// Whatever the headers claim, an inspection reads and allocates little.
func TestBadInput(t *testing.T) {
	for _, test := range badInputs(t) {
		t.Run(test.name, func(t *testing.T) {
			_, err := inspect(t, test.file, gigabyte)
			if test.problem == "" {
				require.NoError(t, err)
				return
			}
			requireProblem(t, test.problem, err)
		})
	}
}

// The time of each bad input.
func BenchmarkBadInput(b *testing.B) {
	for _, bad := range badInputs(b) {
		b.Run(bad.name, func(b *testing.B) {
			for b.Loop() {
				_, _ = media.Inspect(bad.file, gigabyte)
			}
		})
	}
}

// A small file may expand to an index at the limits.
func TestCompressedIndexBombs(t *testing.T) {
	header := func(size uint32, kind string) []byte { return append(numbers(size), kind...) }
	const size = 4 << 20
	for name, expanded := range map[string][]byte{
		"empty boxes":    append(header(0, "moov"), bytes.Repeat(header(8, "free"), size/8-1)...),
		"empty tracks":   append(header(0, "moov"), bytes.Repeat(header(8, "trak"), size/8-1)...),
		"nested tracks":  append(header(0, "moov"), bytes.Repeat(header(0, "trak"), size/8-1)...),
		"nested indexes": bytes.Repeat(header(0, "moov"), size/8),
		"edit lists":     append(header(0, "moov"), bytes.Repeat(slices.Concat(header(0, "trak"), header(0, "edts"), header(0, "elst"), numbers(0, math.MaxUint32)), size/32-1)...),
		"zeros":          make([]byte, size),
	} {
		data := append(fileType("qt  "), compressedIndex(uint32(len(expanded)), zlibbed(expanded, -1))...)
		data = append(data, atom("mdat", make([]byte, 100))...)
		require.Less(t, len(data), 100_000)
		_, err := inspect(t, bytes.NewReader(data), int64(len(data)))
		require.Error(t, err, name)
		requirePlace(t, int64(len(data)), err)
	}
	// Blocks without content expand to nothing.
	empty := append([]byte{0x78, 0x01}, bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 8<<20/5)...)
	data := append(fileType("qt  "), compressedIndex(100, empty)...)
	_, err := inspect(t, bytes.NewReader(data), int64(len(data)))
	requireProblem(t, media.Malformed, err)
}

// A file that was created in its full length, and of which little has been written.
func TestSparseFiles(t *testing.T) {
	good := tenSeconds.Bytes()
	for name, test := range map[string]struct {
		head    []byte
		problem media.Problem // empty for a video
	}{
		"zeros":             {nil, media.NotVideo},
		"type":              {fileType("isom"), media.NoIndex},
		"index of zeros":    {append(fileType("isom"), "\x3f\xff\xff\x00moov"...), media.NoPicture},
		"empty boxes":       {slices.Concat(fileType("isom"), bytes.Repeat(atom("free"), 1<<16+1)), media.Excessive},
		"zeros and a video": {good, ""},
		"AVI":               {[]byte("RIFF\x00\x00\x00\x00AVI "), media.NoIndex},
	} {
		file, err := os.Create(filepath.Join(t.TempDir(), "sparse"))
		require.NoError(t, err)
		_, err = file.Write(test.head)
		require.NoError(t, err)
		require.NoError(t, file.Truncate(gigabyte))
		_, err = inspect(t, file, gigabyte)
		if test.problem == "" {
			require.NoError(t, err, name)
		} else {
			requireProblem(t, test.problem, err)
		}
		require.NoError(t, file.Close())
	}
}

// largeVideo is a sparse file of 500 MB: ten seconds in one piece, or in a fragment for
// every frame.
func largeVideo(t testing.TB, fragments uint32) *os.File {
	t.Helper()
	const size, frames = 500_000_000, 600
	movie := mp4test.Movie{Duration: 10_000, Scale: 1000, Width: 1920, Height: 1080, Frames: frames}
	file, err := os.Create(filepath.Join(t.TempDir(), "large.mp4"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	if fragments == 0 {
		data := movie.Bytes()
		_, err = file.Write(with(t, data, "stsz", 12, slices.Repeat([]uint32{(size - uint32(len(data))) / frames}, frames)...))
		require.NoError(t, err)
		require.NoError(t, file.Truncate(size))
		return file
	}
	movie.Duration, movie.Frames = 0, 1
	boxes := topBoxes(movie.Bytes())
	_, err = file.Write(append(boxes[0], atom("moov", boxes[1][8:], atom("mvex", atom("trex", numbers(0, 1, 1, 16, 0, 0))))...))
	require.NoError(t, err)
	each := size/fragments - 200
	for range fragments {
		fragment := atom("moof", atom("mfhd", numbers(0, 1)), atom("traf", atom("tfhd", numbers(0x20000, 1)), atom("trun", numbers(0x201, 1, 80, each))))
		_, err := file.Write(append(binary.BigEndian.AppendUint32(fragment, each+8), "mdat"...))
		require.NoError(t, err)
		_, err = file.Seek(int64(each), io.SeekCurrent)
		require.NoError(t, err)
	}
	_, err = file.Write(atom("mfra"))
	require.NoError(t, err)
	return file
}

// An inspection reads at most 1 % of a file.
func TestCost(t *testing.T) {
	for _, fragments := range []uint32{0, 600} {
		file := largeVideo(t, fragments)
		info, err := file.Stat()
		require.NoError(t, err)
		reads := &counted{ReaderAt: file}
		video, err := inspect(t, reads, info.Size())
		require.NoError(t, err)
		assert.InDelta(t, 10, video.Duration.Seconds(), 0.5)
		assert.Less(t, reads.bytes, info.Size()/100)
	}
}

func BenchmarkInspect(b *testing.B) {
	for name, fragments := range map[string]uint32{"one-piece": 0, "fragments": 600} {
		b.Run(name, func(b *testing.B) {
			file := largeVideo(b, fragments)
			info, err := file.Stat()
			require.NoError(b, err)
			reads := &counted{ReaderAt: file}
			b.ReportAllocs()
			for b.Loop() {
				_, err := media.InspectMP4(reads, info.Size())
				require.NoError(b, err)
			}
			b.ReportMetric(float64(reads.bytes)/float64(b.N), "read-B/op")
			b.ReportMetric(100*float64(reads.bytes)/float64(b.N)/float64(info.Size()), "read-%")
		})
	}
}
