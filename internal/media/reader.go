package media

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

const (
	// maxHeaders bounds the headers of boxes and chunks that are read of one file. A
	// recording with a fragment for every frame has some hundred a second.
	maxHeaders = 1 << 16
	// maxIndexBytes bounds the bytes of tables that are read of one file. Ten seconds
	// of video have some kB.
	maxIndexBytes = 16 << 20
	// windowSize is the number of bytes of a table that are in memory.
	windowSize = 8 << 10
)

// reader reads an index within its limits.
type reader struct {
	file    io.ReaderAt
	size    int64
	spent   *spent
	scratch [16]byte
}

// spent counts the headers and bytes that have been read of a file. limit is that of
// the headers.
type spent struct {
	headers, limit int
	bytes          int64
}

func newReader(file io.ReaderAt, size int64) *reader {
	return &reader{file: file, size: size, spent: &spent{limit: maxHeaders}}
}

// header fills the scratch space, or as much of it as the file has. The result is
// valid until the next call.
func (r *reader) header(at int64) ([]byte, error) {
	if r.spent.headers++; r.spent.headers > r.spent.limit {
		return nil, problemf(Excessive, at, "it has more than %d boxes", r.spent.limit)
	}
	bytes := r.scratch[:max(0, min(r.size-at, int64(len(r.scratch))))]
	return bytes, r.fill(bytes, at)
}

// read fills bytes with a part of a table.
func (r *reader) read(bytes []byte, at int64) error {
	if r.spent.bytes += int64(len(bytes)); r.spent.bytes > maxIndexBytes {
		return problemf(Excessive, at, "its index has more than %d MB", maxIndexBytes>>20)
	}
	return r.fill(bytes, at)
}

func (r *reader) fill(bytes []byte, at int64) error {
	n, err := r.file.ReadAt(bytes, at)
	switch {
	case n == len(bytes):
		return nil
	case err == io.EOF:
		return problemf(CutOff, at, "the video is cut off: the file ended while it was read")
	default:
		return fmt.Errorf("read the video: %w", err)
	}
}

// table is a sequence of entries in a box. It holds a window of them.
type table struct {
	reader *reader
	// at is the place of the bytes behind the window, end that behind the table.
	at, end int64
	window  []byte
	buffer  []byte
}

// table opens the entries of a box, behind its first skip bytes.
func (r *reader) table(within box, skip, count, width int64) (*table, error) {
	at := within.payload + skip
	if room := within.end - at; count > math.MaxInt64/width || count*width > room {
		return nil, problemf(Malformed, within.payload, "its %s box at byte %d declares more entries than it has bytes", within.kind(), within.start)
	}
	return &table{reader: r, at: at, end: at + count*width}, nil
}

// next returns the bytes of the next entry, which is valid until the next call. The
// caller must not read more entries than the table has.
func (t *table) next(width int) ([]byte, error) {
	if len(t.window) < width {
		if t.buffer == nil {
			t.buffer = make([]byte, min(windowSize, t.end-t.at))
		}
		kept := copy(t.buffer, t.window)
		fresh := t.buffer[kept:][:min(int64(len(t.buffer)-kept), t.end-t.at)]
		if err := t.reader.read(fresh, t.at); err != nil {
			return nil, err
		}
		t.at += int64(len(fresh))
		t.window = t.buffer[:kept+len(fresh)]
	}
	entry := t.window[:width]
	t.window = t.window[width:]
	return entry, nil
}

// number returns the next entry of 1, 2, 4 or 8 bytes.
func (t *table) number(width int) (uint64, error) {
	entry, err := t.next(width)
	if err != nil {
		return 0, err
	}
	switch width {
	case 1:
		return uint64(entry[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(entry)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(entry)), nil
	default:
		return binary.BigEndian.Uint64(entry), nil
	}
}
