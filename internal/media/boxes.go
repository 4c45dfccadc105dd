package media

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

const (
	smallHeader = 8
	largeHeader = 16
	// maxBoxes bounds the headers read in one file, at all levels together. A
	// fragmented file of ten seconds has a few hundred.
	maxBoxes = 1 << 16
)

// firstBoxes are the boxes that may begin a file: ftyp, and in MOV files older
// than ftyp one of the others.
var firstBoxes = []string{"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot"}

// beginsLikeMP4 reports whether a file may begin with these bytes. Fewer bytes
// than a header match as far as they go.
func beginsLikeMP4(bytes []byte) bool {
	kind := string(bytes[min(4, len(bytes)):min(8, len(bytes))])
	return slices.ContainsFunc(firstBoxes, func(first string) bool { return strings.HasPrefix(first, kind) })
}

// ErrTruncated means that the end of a file is missing.
const ErrTruncated = MalformedError("the video is cut off: its last box runs past the end of the file")

// box is the place of one box of a file, in bytes from its beginning.
type box struct {
	// path is the kind of the box after those of the boxes around it, such as
	// "moov/trak". It is empty for the whole file.
	path string
	// payload and end are the limits of the content, behind the header.
	payload, end int64
}

// boxReader reads box headers. It checks every length before it relies on it.
type boxReader struct {
	file io.ReaderAt
	// headers counts the headers read so far.
	headers int
}

// walk calls visit for each box within another, then for the boxes within it if
// its path is one of containers. It fails unless boxes fill each container exactly.
func (r *boxReader) walk(within box, containers []string, visit func(box) error) error {
	for start := within.payload; start < within.end; {
		found, err := r.header(start, within)
		if err != nil {
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
		start = found.end
	}
	return nil
}

func (r *boxReader) header(start int64, within box) (box, error) {
	if r.headers++; r.headers > maxBoxes {
		return box{}, malformedf("more than %d boxes", maxBoxes)
	}
	nested, beyond := within.path != "", error(ErrTruncated)
	if nested {
		beyond = malformedf("a box at byte %d runs past the %s box around it", start, within.path)
	}
	room := within.end - start
	bytes := make([]byte, min(room, largeHeader))
	if err := r.readAt(bytes, start); err != nil {
		return box{}, err
	}
	if start == 0 && !beginsLikeMP4(bytes) {
		return box{}, MalformedError("it does not begin like an MP4 or MOV")
	}
	if room < smallHeader {
		return box{}, beyond
	}
	kind := string(bytes[4:8])
	found := box{path: strings.TrimPrefix(within.path+"/"+kind, "/"), payload: start + smallHeader}
	size, least := int64(binary.BigEndian.Uint32(bytes)), int64(smallHeader)
	switch size {
	case 0:
		// The last box of a file may extend to its end. A header of zeros is no
		// box but a hole in the file.
		if nested || kind == "\x00\x00\x00\x00" {
			return box{}, malformedf("no box begins at byte %d", start)
		}
		size = room
	case 1:
		if room < largeHeader {
			return box{}, beyond
		}
		large := binary.BigEndian.Uint64(bytes[8:])
		if large > math.MaxInt64 {
			return box{}, beyond
		}
		size, least = int64(large), largeHeader
		found.payload = start + largeHeader
	}
	if size < least {
		return box{}, malformedf("the box at byte %d is shorter than its own header", start)
	}
	if size > room {
		return box{}, beyond
	}
	found.end = start + size
	return found, nil
}

// readAt fills bytes from an offset within the file.
func (r *boxReader) readAt(bytes []byte, offset int64) error {
	n, err := r.file.ReadAt(bytes, offset)
	if n == len(bytes) {
		return nil
	}
	if err == io.EOF {
		return ErrTruncated
	}
	return fmt.Errorf("read the video: %w", err)
}
