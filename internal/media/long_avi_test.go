//go:build unix

package media_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/media"
)

// list is a list of an AVI with this content.
func list(id, kind string, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	return slices.Concat([]byte(id), binary.LittleEndian.AppendUint32(nil, uint32(4+len(content))), []byte(kind), content)
}

// aviHeaders are the headers of an AVI with one picture stream, for 600 ms of frames at
// 100 ms, up to its media, and its frames without their index.
func aviHeaders(t testing.TB) (headers, frames []byte) {
	t.Helper()
	good := testdata(t, "corpus/mpeg4.avi")
	at := bytes.Index(good, []byte("movi"))
	return good[:at-8], good[at+4 : bytes.Index(good, []byte("idx1"))]
}

// chunks is a reader of a pattern of chunks between a head and a tail.
func chunks(head []byte, pattern string, times int64, tail []byte) (io.ReaderAt, int64) {
	file := repeated{head, []byte(pattern)}
	end := int64(len(head)) + times*int64(len(pattern))
	return &withTail{file, end, tail}, end + int64(len(tail))
}

type withTail struct {
	repeated
	end  int64
	tail []byte
}

func (w *withTail) ReadAt(into []byte, at int64) (int, error) {
	n, err := w.repeated.ReadAt(into, at)
	if over := at + int64(n) - w.end; over > 0 {
		from := max(0, w.end-at)
		copy(into[from:], w.tail[at+from-w.end:])
	}
	return n, err
}

// A long or much interleaved AVI has more chunks than an inspection reads. The declared
// length of its media and its declared number of frames decide then.
func TestLongAVI(t *testing.T) {
	const (
		pattern = "00dc\x02\x00\x00\x00xx01wb\x02\x00\x00\x00yy"
		hour    = 3600 * 10
	)
	headers, _ := aviHeaders(t)
	declared := func(times int64, frames uint32) []byte {
		head := little(t, headers, "vids", 28, frames)
		head = append(head, "LIST\x00\x00\x00\x00movi"...)
		return little(t, head, "movi", -8, uint32(4+times*int64(len(pattern))))
	}
	undeclared := append(bytes.Clone(headers), "LIST\x00\x00\x00\x00movi"...)
	index := []byte("idx1\x04\x00\x00\x00abcd")
	tests := []struct {
		name    string
		head    []byte
		times   int64
		missing int64 // bytes
		tail    []byte
		problem media.Problem // empty for a video
		seconds float64
	}{
		{"an hour", declared(hour, hour), hour, 0, index, "", 3600},
		{"an hour in a pipe", undeclared, hour, 0, nil, "", 3600},
		{"three hours", declared(3*hour, 3*hour), 3 * hour, 0, index, "", 3 * 3600},
		{"a day", declared(24*hour, 24*hour), 24 * hour, 0, index, "", 24 * 3600},
		{"a day, another number of frames", declared(24*hour, 7), 24 * hour, 0, nil, "", 1 << 17 / 10},
		{"a day, no number of frames", declared(24*hour, 1<<30), 24 * hour, 0, nil, "", 1 << 17 / 10},
		{"a day that is cut off", declared(24*hour, 24*hour), 24 * hour, 100, nil, media.CutOff, 0},
		{"a day in a pipe", undeclared, 24 * hour, 0, nil, media.Excessive, 0},
		{"boxes behind a day", declared(24*hour, 24*hour), 24 * hour, 0, bytes.Repeat([]byte("JUNK\x00\x00\x00\x00"), 1<<17), media.Excessive, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file, size := chunks(test.head, pattern, test.times, test.tail)
			video, err := inspect(t, file, size-test.missing)
			if test.problem != "" {
				requireProblem(t, test.problem, err)
				return
			}
			require.NoError(t, err)
			assert.InDelta(t, test.seconds, video.Duration.Seconds(), 1)
			assert.Equal(t, 100*time.Millisecond, video.Frame)
		})
	}
}

// A large AVI (OpenDML) has several parts, and indexes among the chunks.
func TestAVIParts(t *testing.T) {
	headers, frames := aviHeaders(t)
	standard := []byte("ix00\x08\x00\x00\x00\x02\x00\x00\x01\x00\x00\x00\x00")
	part := list("RIFF", "AVIX", list("LIST", "movi", list("LIST", "rec ", frames), standard), []byte("idx1\x00\x00\x00\x00"))
	first := slices.Concat(headers, list("LIST", "movi", frames, standard), []byte("idx1\x00\x00\x00\x00"))
	whole := slices.Concat(first, part, part)
	// The index of the parts of an ordinary file.
	indexed := testdata(t, "corpus/parts.avi")
	second := bytes.Index(indexed, []byte("AVIX")) - 8
	index := func(offset int, value uint32) []byte { return little(t, indexed, "indx", offset, value) }
	tests := []struct {
		name    string
		data    []byte
		problem media.Problem // empty for a video
		want    time.Duration
	}{
		{"one part", first, "", 600 * time.Millisecond},
		{"three parts", whole, "", 1800 * time.Millisecond},
		{"part of an unknown length", append(bytes.Clone(whole), "RIFF\xff\xff\xff\xffAVIX"...), "", 1800 * time.Millisecond},
		{"other bytes between the parts", slices.Concat(first, []byte("JUNK\x03\x00\x00\x00abc\x00"), part), "", 1200 * time.Millisecond},
		{"last part that is cut off", whole[:len(whole)-len(standard)-9], media.CutOff, 0},
		{"indexed parts", indexed, "", 1800 * time.Millisecond},
		{"more parts than the index has room for", index(8, 1<<32-1), "", 1800 * time.Millisecond},
		{"index of chunks", little(t, indexed[:second], "indx", 4, 1<<24|4), "", 600 * time.Millisecond},
		{"first part alone", indexed[:second], media.CutOff, 0},
		{"two parts of three", indexed[:bytes.LastIndex(indexed, []byte("AVIX"))-8], media.CutOff, 0},
		{"part that wraps around", bytes.Replace(indexed, indexed[bytes.Index(indexed, []byte("indx"))+32:][:8], bytes.Repeat([]byte{0xff}, 8), 1), media.CutOff, 0},
		{"last part without its last frame", whole[:len(whole)-len(standard)-100], media.CutOff, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			video, err := inspect(t, bytes.NewReader(test.data), int64(len(test.data)))
			if test.problem != "" {
				requireProblem(t, test.problem, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, media.Video{Duration: test.want, Frame: 100 * time.Millisecond, Width: 64, Height: 36, Extension: ".avi"}, video)
		})
	}

	// The parts behind a long one count.
	long := bytes.Repeat([]byte("00dc\x02\x00\x00\x00xx"), 1<<18+10)
	data := slices.Concat(headers, list("LIST", "movi", long), part)
	video, err := inspect(t, bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	assert.InDelta(t, 26214, video.Duration.Seconds(), 2)
	_, err = inspect(t, bytes.NewReader(data), int64(len(data)-100))
	requireProblem(t, media.CutOff, err)
}

// The size is that of the first picture stream.
func TestAVISize(t *testing.T) {
	good := testdata(t, "corpus/mpeg4.avi")
	format := func(fields ...uint32) []byte {
		data := good
		for i, value := range fields {
			data = little(t, data, "strf", 8+4*i, value)
		}
		return data
	}
	at := bytes.Index(good, []byte("strf"))
	short := slices.Concat(good[:at], []byte("strf\x08\x00\x00\x00\x28\x00\x00\x00\x40\x00\x00\x00"), good[at+8+40:])
	require.Equal(t, uint32(40), binary.LittleEndian.Uint32(good[at+4:]))
	for name, test := range map[string]struct {
		data          []byte
		width, height int
	}{
		"ordinary":          {good, 64, 36},
		"first row on top":  {format(320, 1<<32-180), 320, 180},
		"too large":         {format(1<<16+1, 180), 0, 0},
		"largest":           {format(1<<16, 1<<16), 1 << 16, 1 << 16},
		"smallest integer":  {format(320, 1<<31), 0, 0},
		"short description": {short, 0, 0},
	} {
		video, err := media.Inspect(bytes.NewReader(test.data), int64(len(test.data)))
		require.NoError(t, err, name)
		assert.Equal(t, []int{test.width, test.height}, []int{video.Width, video.Height}, name)
	}
}
