package media

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/abema/go-mp4"
)

const (
	smallHeader = 8
	largeHeader = 16
	// maxDescription bounds the bytes of a box that are decoded. The decoded boxes
	// have about a hundred.
	maxDescription = 1 << 10
)

// box is the place of one box of a file, in bytes from its beginning.
type box struct {
	// path is the kind of the box after those of the boxes around it, such as
	// "moov/trak". It is empty for the whole file.
	path string
	// start is the place of the header, payload and end are the limits of the content.
	start, payload, end int64
	// cut means that the header declares more bytes than the box around it has. The
	// box ends with that one.
	cut bool
}

func (b box) kind() string { return b.path[strings.LastIndexByte(b.path, '/')+1:] }

// walk calls visit for each box within another, then for the boxes within it if its
// path is one of containers. It ends at the first bytes that are no box: QuickTime
// ends a container with four zero bytes; messengers, editors and cameras add bytes of
// their own.
func (r *reader) walk(within box, containers []string, visit func(box) error) error {
	for at := within.payload; at < within.end; {
		found, ok, err := r.box(at, within)
		if err != nil || !ok {
			return err
		}
		if err := visit(found); err != nil {
			return err
		}
		if slices.Contains(containers, found.path) {
			if err := r.walk(found, containers, visit); err != nil {
				return err
			}
		}
		at = found.end
	}
	return nil
}

// box reads the header of a box. ok is false if none begins here.
func (r *reader) box(at int64, within box) (found box, ok bool, err error) {
	room := within.end - at
	if room < smallHeader {
		return box{}, false, nil
	}
	header, err := r.header(at)
	if err != nil {
		return box{}, false, err
	}
	kind := string(header[4:8])
	found = box{path: strings.TrimPrefix(within.path+"/"+kind, "/"), start: at, payload: at + smallHeader}
	size := int64(binary.BigEndian.Uint32(header))
	switch size {
	case 0:
		// The box extends to the end of the one around it. A header of zeros is
		// padding.
		if kind == "\x00\x00\x00\x00" {
			return box{}, false, nil
		}
		size = room
	case 1:
		if room < largeHeader {
			return box{}, false, nil
		}
		found.payload = at + largeHeader
		size = int64(min(binary.BigEndian.Uint64(header[8:]), math.MaxInt64))
	}
	if size < found.payload-at {
		return box{}, false, nil
	}
	found.cut = size > room
	found.end = at + min(size, room)
	return found, true, nil
}

// head returns the first n bytes of the content.
func (r *reader) head(of box, n int64) ([]byte, error) {
	if of.end-of.payload < n {
		return nil, problemf(Malformed, of.start, "its %s box at byte %d is too short", of.kind(), of.start)
	}
	bytes := make([]byte, n)
	return bytes, r.read(bytes, of.payload)
}

// decode reads a small box.
func (r *reader) decode(found box, into mp4.IBox) error {
	payload := make([]byte, min(found.end-found.payload, maxDescription))
	if err := r.read(payload, found.payload); err != nil {
		return err
	}
	if _, err := mp4.Unmarshal(bytes.NewReader(payload), uint64(len(payload)), into, mp4.Context{}); err != nil {
		return problemf(Malformed, found.start, "its %s box at byte %d can't be read", found.kind(), found.start)
	}
	return nil
}
