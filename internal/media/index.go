package media

import (
	"slices"
	"sort"
	"strconv"
	"strings"
)

const brandQuickTime = "qt  "

// firstBoxes are the boxes that usually begin a file: ftyp, and in MOV files older
// than ftyp one of the others.
var firstBoxes = []string{"ftyp", "moov", "mdat", "wide", "free", "skip", "pnot", "uuid"}

// index is the sample index of an MP4 or MOV: its tracks, and the places of their
// samples as far as they have been checked.
type index struct {
	reader *reader
	// tables reads the moov box: reader, unless that box is compressed.
	tables *reader
	// extension belongs to the brand of the file.
	extension string
	// boxes are those at the top level that describe the file. They contain no samples.
	boxes  []box
	movie  box
	tracks []*track
	// scale and duration are those of the movie header.
	scale    uint32
	duration uint64
	// extends are the defaults of the samples in fragments, by track.
	extends map[uint32]sampleDefaults
	// probes counts the samples of which the first bytes have been read.
	probes int
	fragmented
}

// readIndex reads the index of a file and checks the place of every sample of its
// picture and sound tracks.
func readIndex(r *reader) (*index, error) {
	x := &index{reader: r, tables: r, extension: ".mov", extends: map[uint32]sampleDefaults{}}
	if err := x.scan(); err != nil {
		return nil, err
	}
	if err := x.readMovie(); err != nil {
		return nil, x.compressedProblem(err)
	}
	for _, t := range x.tracks {
		if err := x.tolerate(t, x.readSamples(t)); err != nil {
			return nil, x.compressedProblem(err)
		}
	}
	x.inMovie = x.longest()
	return x, x.readFragments()
}

// tolerate drops the error of a malformed sound track: the picture plays without it.
func (x *index) tolerate(t *track, err error) error {
	if failed, ok := err.(*Error); ok {
		failed.Track = t.id
		if failed.Problem == Malformed && t.handler != handlerPicture {
			return nil
		}
	}
	return err
}

// scan finds the boxes at the top level. The first moov box is the index: players
// ignore all others.
func (x *index) scan() error {
	var first, last box
	err := x.reader.walk(box{end: x.reader.size}, nil, func(found box) error {
		if first.path == "" {
			first = found
		}
		last = found
		switch found.path {
		case "ftyp":
			brand, err := x.reader.head(found, 4)
			if err != nil {
				return err
			}
			if string(brand) != brandQuickTime {
				x.extension = ".mp4"
			}
		case "moov":
			if x.movie.path != "" {
				return nil
			}
			x.movie = found
		case "moof":
			x.last = found
		case "mfra", "sidx":
			return x.readMark(found)
		case "mdat":
			x.mediaEnd = found.end
			return nil
		default:
			return nil
		}
		x.boxes = append(x.boxes, found)
		if found.cut && found.path != "ftyp" {
			return problemf(CutOff, found.start, "the video is cut off: its %s box at byte %d runs past the end of the file", found.path, found.start)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case x.movie.path != "":
		return nil
	case x.reader.size == 0:
		return problemf(NotVideo, 0, "the file is empty")
	case !slices.ContainsFunc(firstBoxes, func(kind string) bool { return kind == first.path }):
		return problemf(NotVideo, 0, "it does not begin like an MP4 or MOV")
	case last.cut:
		return problemf(CutOff, last.start, "the video is cut off: its %q box at byte %d runs past the end of the file, and no index (moov box) precedes it", last.path, last.start)
	default:
		return problemf(NoIndex, 0, "it has no index (moov box)")
	}
}

// span is a range of bytes of the file.
type span struct{ start, end int64 }

// span checks the place of samples of a track.
func (x *index) span(t *track, start, bytes uint64) (span, error) {
	size := uint64(x.reader.size) //nolint:gosec // not negative
	if bytes == 0 {
		start = min(start, size)
	}
	if start > size || bytes > size-start {
		return span{}, problemf(CutOff, x.reader.size, "the video is cut off: %d bytes of its track %d are at byte %d, and the file has %d", bytes, t.id, start, size)
	}
	place := span{int64(start), int64(start + bytes)} //nolint:gosec // within the file
	if bytes == 0 {
		return place, nil
	}
	after := sort.Search(len(x.boxes), func(i int) bool { return x.boxes[i].end > place.start })
	if after < len(x.boxes) && x.boxes[after].start < place.end {
		return span{}, problemf(Malformed, place.start, "samples of its track %d are at byte %d, where its %s box is", t.id, place.start, x.boxes[after].path)
	}
	return place, nil
}

// pictures are the picture tracks that have samples.
func (x *index) pictures() []*track {
	return slices.DeleteFunc(slices.Clone(x.tracks), func(t *track) bool { return t.handler != handlerPicture || t.bytes == 0 })
}

// handlers lists the handlers of the tracks for an error.
func (x *index) handlers() string {
	var all []string
	for _, t := range x.tracks {
		all = append(all, strconv.Quote(t.handler))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}
