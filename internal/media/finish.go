package media

import (
	"encoding/binary"
	"time"

	"github.com/abema/go-mp4"
)

// fragmented is what a file declares about its fragments.
type fragmented struct {
	// extended means that the movie declares fragments.
	extended bool
	// last is the last fragment (moof box).
	last box
	// declared is the duration of the movie with its fragments, in units of the movie
	// header, 0 if not declared.
	declared uint64
	// inMovie is the duration of the samples that the moov box describes.
	inMovie time.Duration
	// mark is the place of the last mfra box, which follows the last fragment.
	mark int64
	// indexed is the end of the fragments that the sidx boxes before them list, listed
	// their number.
	indexed int64
	listed  int
	// mediaEnd is the end of the last mdat box.
	mediaEnd int64
}

// readExtends reads the boxes of a movie about its fragments.
func (x *index) readExtends(found box) error {
	switch found.path {
	case "moov/mvex/trex":
		var defaults mp4.Trex
		if err := x.tables.decode(found, &defaults); err != nil {
			return err
		}
		x.extends[defaults.TrackID] = sampleDefaults{defaults.DefaultSampleDuration, defaults.DefaultSampleSize}
	case "moov/mvex/mehd":
		var header mp4.Mehd
		if err := x.tables.decode(found, &header); err != nil {
			return err
		}
		x.declared = header.GetFragmentDuration()
	default:
		x.extended = true
	}
	return nil
}

// readMark reads a box that shows where the fragments end.
func (x *index) readMark(found box) error {
	if found.path == "mfra" {
		if !found.cut {
			x.mark = found.start
		}
		return nil
	}
	if x.last.path != "" {
		return nil
	}
	// The fields before the references are of 32 bits in version 0. (ISO/IEC 14496-12,
	// 8.16.3)
	head, err := x.reader.head(found, min(32, found.end-found.payload))
	if err != nil || len(head) < 24 || head[0] > 0 && len(head) < 32 {
		return err
	}
	first, fields := uint64(binary.BigEndian.Uint32(head[16:])), int64(24)
	if head[0] > 0 {
		first, fields = binary.BigEndian.Uint64(head[20:]), 32
	}
	count := int(binary.BigEndian.Uint16(head[fields-2:]))
	references, err := x.reader.table(found, fields, int64(count), 12)
	if err != nil {
		return nil //nolint:nilerr // players ignore a malformed sidx box
	}
	end := add(uint64(found.end), first) //nolint:gosec // not negative
	for range count {
		entry, err := references.next(12)
		if err != nil {
			return err
		}
		end = add(end, uint64(binary.BigEndian.Uint32(entry)&0x7fffffff))
	}
	if end > uint64(x.reader.size) { //nolint:gosec // not negative
		return problemf(CutOff, x.reader.size, "the video is cut off: its index (sidx box) lists bytes up to %d, and the file has %d", end, x.reader.size)
	}
	x.indexed, x.listed = max(x.indexed, int64(end)), x.listed+count //nolint:gosec // within the file
	return nil
}

// checkFinish requires a mark of the end of a fragmented file: an mfra box behind the
// last fragment, a duration that the fragments reach, or a list of all fragments. A
// list of one may be that of its own fragment alone.
func (x *index) checkFinish(longest time.Duration) error {
	if !x.extended && x.last.path == "" {
		return nil
	}
	if x.mark > x.last.start || x.listed > 1 && x.indexed >= x.mediaEnd {
		return nil
	}
	declared := toDuration(max(x.declared, x.duration), x.scale)
	switch {
	case declared == 0, x.declared == 0 && declared <= x.inMovie:
		// The movie header covers the samples of the moov box alone.
		return problemf(Unfinished, x.reader.size, "the video may be cut off: it is in fragments and has no mark of its end (mfra box)")
	case declared >= longest+toDuration(1, x.scale):
		return problemf(CutOff, x.reader.size, "the video is cut off: its fragments last %v of %v", longest.Round(time.Millisecond), declared.Round(time.Millisecond))
	default:
		return nil
	}
}
