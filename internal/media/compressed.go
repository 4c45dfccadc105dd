package media

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// maxExpanded bounds the memory of an index that is compressed, in bytes. Ten
	// seconds of video have some kB.
	maxExpanded = 4 << 20
	codingZlib  = "zlib"
)

// openMovie returns the moov box that has the tracks, which tables reads: that of the
// file, or the one that it contains in compressed form. The places of samples in that
// one are those in the file. (Apple, QuickTime File Format, "Compressed Movie Resources")
func (x *index) openMovie() (movie box, err error) {
	var compressed box
	if err := x.reader.walk(x.movie, nil, func(child box) error {
		if child.kind() == "cmov" && compressed.path == "" {
			compressed = child
		}
		return nil
	}); err != nil || compressed.path == "" {
		return x.movie, err
	}
	expanded, err := x.expand(compressed)
	if err != nil {
		return box{}, err
	}
	movie, ok, err := expanded.box(0, box{end: expanded.size})
	if err != nil {
		return box{}, err
	}
	if !ok || movie.path != "moov" {
		return box{}, problemf(Malformed, compressed.start, "its compressed index (cmov box) at byte %d has no moov box", compressed.start)
	}
	x.tables = expanded
	return movie, nil
}

// expand decompresses the index that a cmov box contains.
func (x *index) expand(compressed box) (*reader, error) {
	coding, data := "", box{}
	if err := x.reader.walk(compressed, nil, func(child box) error {
		switch child.kind() {
		case "dcom":
			head, err := x.reader.head(child, 4)
			coding = string(head)
			return err
		case "cmvd":
			data = child
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if coding != codingZlib || data.path == "" {
		return nil, problemf(Malformed, compressed.start, "its compressed index (cmov box) at byte %d has no %s data", compressed.start, codingZlib)
	}
	head, err := x.reader.head(data, 4)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > maxExpanded {
		return nil, problemf(Excessive, compressed.start, "its compressed index has more than %d MB", maxExpanded>>20)
	}
	expanded := make([]byte, size)
	n, err := inflate(&content{x.reader, data.payload + 4, data.end}, expanded)
	var corrupt flate.CorruptInputError
	switch {
	case err == nil:
		return &reader{file: bytes.NewReader(expanded[:n]), size: int64(n), spent: x.reader.spent}, nil
	case errors.As(err, &corrupt), errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrDictionary),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errTooLong):
		return nil, problemf(Malformed, compressed.start, "its compressed index (cmov box) at byte %d can't be decompressed: %v", compressed.start, err)
	default:
		return nil, err
	}
}

var errTooLong = errors.New("it is longer than it declares")

// inflate decompresses all of a zlib stream, which may be shorter than the space for it.
func inflate(from io.Reader, into []byte) (n int, err error) {
	stream, err := zlib.NewReader(from)
	if err != nil {
		return 0, err
	}
	for n < len(into) && err == nil {
		var read int
		read, err = stream.Read(into[n:])
		n += read
	}
	if err == nil {
		// The checksum follows the last byte.
		var read int
		if read, err = stream.Read(make([]byte, 1)); read > 0 {
			return n, errTooLong
		}
	}
	if errors.Is(err, io.EOF) {
		return n, nil
	}
	return n, err
}

// content reads the content of a box in order.
type content struct {
	reader  *reader
	at, end int64
}

func (c *content) Read(into []byte) (int, error) {
	into = into[:min(int64(len(into)), c.end-c.at)]
	if len(into) == 0 {
		return 0, io.EOF
	}
	if err := c.reader.read(into, c.at); err != nil {
		return 0, err
	}
	c.at += int64(len(into))
	return len(into), nil
}

// compressedProblem moves a problem with a place in the decompressed index to that of
// the index in the file.
func (x *index) compressedProblem(err error) error {
	failed, ok := errors.AsType[*Error](err)
	if !ok || x.tables == x.reader || failed.Problem != Malformed && failed.Problem != Excessive {
		return err
	}
	return &Error{failed.Problem, x.movie.start, failed.Track, fmt.Sprintf("in its compressed index: %s", failed.reason)}
}
