package media

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/abema/go-mp4"
)

const (
	handlerPicture = "vide"
	handlerSound   = "soun"
	// maxTracks bounds the memory of an index. Files of editors have some ten.
	maxTracks = 1000
)

// movieContainers are the boxes whose boxes are read.
var movieContainers = []string{
	"moov", "moov/trak", "moov/trak/edts", "moov/trak/mdia", "moov/trak/mdia/minf", "moov/trak/mdia/minf/stbl", "moov/mvex",
}

// track is one track of a movie.
type track struct {
	id             uint32
	handler, codec string
	// width and height are in pixels, 0 if not declared.
	width, height int
	// scale is the number of time units per second.
	scale uint32
	// samples and bytes count the samples and their bytes, units is their duration.
	samples, bytes, units uint64
	// edited is the duration of the edit list in units of the movie, 0 without one.
	edited uint64
	// tables are the boxes of the sample table, by kind.
	tables map[string]box
	time   fragmentTime
}

// readMovie reads the tracks of the moov box.
func (x *index) readMovie() error {
	movie, err := x.openMovie()
	if err != nil {
		return err
	}
	var current *track
	return x.tables.walk(box{payload: movie.start, end: movie.end}, movieContainers, func(found box) error {
		switch found.path {
		case "moov/mvhd":
			var header mp4.Mvhd
			if x.tables.decode(found, &header) == nil {
				x.scale, x.duration = header.Timescale, declaredUnits(header.GetDuration(), header.GetVersion())
			}
			return nil
		case "moov/trak":
			if len(x.tracks) == maxTracks {
				return problemf(Excessive, found.start, "it has more than %d tracks", maxTracks)
			}
			current = &track{tables: map[string]box{}}
			x.tracks = append(x.tracks, current)
			return nil
		case "moov/mvex", "moov/mvex/trex", "moov/mvex/mehd":
			return x.readExtends(found)
		default:
			return x.readTrack(current, found)
		}
	})
}

// readTrack reads a box of a track.
func (x *index) readTrack(t *track, found box) error {
	switch kind := found.kind(); found.path {
	case "moov/trak/tkhd":
		var header mp4.Tkhd
		if err := x.tables.decode(found, &header); err != nil {
			return err
		}
		// Fixed point, 16.16.
		t.id, t.width, t.height = header.TrackID, int(header.Width>>16), int(header.Height>>16)
	case "moov/trak/edts/elst":
		return x.readEdits(t, found)
	case "moov/trak/mdia/mdhd":
		var header mp4.Mdhd
		if err := x.tables.decode(found, &header); err != nil {
			return err
		}
		t.scale = header.Timescale
	case "moov/trak/mdia/hdlr":
		head, err := x.tables.head(found, 12)
		if err != nil {
			return err
		}
		t.handler = string(head[8:])
	case "moov/trak/mdia/minf/stbl/stsd":
		return x.readDescription(t, found)
	case "moov/trak/mdia/minf/stbl/stts", "moov/trak/mdia/minf/stbl/stsc", "moov/trak/mdia/minf/stbl/stsz",
		"moov/trak/mdia/minf/stbl/stz2", "moov/trak/mdia/minf/stbl/stco", "moov/trak/mdia/minf/stbl/co64":
		if _, repeated := t.tables[kind]; !repeated {
			t.tables[kind] = found
		}
	}
	return nil
}

// readDescription reads the codec of a track from its first sample description, and
// the size of its picture if the track header has none.
func (x *index) readDescription(t *track, found box) error {
	const count, entry, visual = 4, 8, 36 // bytes
	if found.end-found.payload < entry+smallHeader {
		return nil
	}
	head, err := x.tables.head(found, min(entry+visual, found.end-found.payload))
	if err != nil {
		return err
	}
	if size := int64(binary.BigEndian.Uint32(head[entry:])); binary.BigEndian.Uint32(head[count:]) == 0 ||
		size < 2*smallHeader || size > found.end-found.payload-entry {
		return nil
	}
	t.codec = string(head[entry+4 : entry+8])
	if len(head) == entry+visual && t.width == 0 && t.height == 0 {
		t.width = int(binary.BigEndian.Uint16(head[entry+32:]))
		t.height = int(binary.BigEndian.Uint16(head[entry+34:]))
	}
	return nil
}

// readEdits adds up the edits of a track that show media. (ISO/IEC 14496-12, 8.6.6)
func (x *index) readEdits(t *track, found box) error {
	head, err := x.tables.head(found, 8)
	if err != nil {
		return err
	}
	width := 4
	if head[0] == 1 {
		width = 8
	}
	// Players ignore the entries that are missing.
	count := min(int64(binary.BigEndian.Uint32(head[4:])), (found.end-found.payload-8)/int64(2*width+4))
	edits, err := x.tables.table(found, 8, count, int64(2*width+4))
	if err != nil {
		return err
	}
	for ; count > 0; count-- {
		entry, err := edits.next(2*width + 4)
		if err != nil {
			return err
		}
		units, at := uint64(binary.BigEndian.Uint32(entry)), int64(int32(binary.BigEndian.Uint32(entry[4:]))) //nolint:gosec // a signed field
		if width == 8 {
			units, at = binary.BigEndian.Uint64(entry), int64(binary.BigEndian.Uint64(entry[8:])) //nolint:gosec // a signed field
		}
		// An edit without media delays the track.
		if at >= 0 {
			t.edited = add(t.edited, units)
		}
	}
	return nil
}

// declaredUnits is the duration field of a header. All ones mean that the duration
// is not declared; it is 0 then.
func declaredUnits(units uint64, version uint8) uint64 {
	if units == math.MaxUint64 || version == 0 && units == math.MaxUint32 {
		return 0
	}
	return units
}

// add is a sum that stops at its largest value.
func add(x, y uint64) uint64 {
	if x > math.MaxUint64-y {
		return math.MaxUint64
	}
	return x + y
}

// maxDuration is longer than any video.
const maxDuration = 365 * 24 * time.Hour

// toDuration converts units of a time scale, which is their number per second. It
// is 0 if the scale is 0, and at most maxDuration.
func toDuration(units uint64, timescale uint32) time.Duration {
	scale := uint64(timescale)
	if scale == 0 {
		return 0
	}
	seconds, rest := units/scale, units%scale
	if seconds >= uint64(maxDuration/time.Second) {
		return maxDuration
	}
	nanoseconds := time.Duration(rest * uint64(time.Second) / scale) //nolint:gosec // below one second
	return time.Duration(seconds)*time.Second + nanoseconds
}
