package media

import (
	"encoding/binary"

	"github.com/abema/go-mp4"
)

// The flags of a tfhd and a trun box declare their fields, those of a trun also the
// fields of each of its samples. (ISO/IEC 14496-12, 8.8.7 and 8.8.8)
const (
	headBaseOffset, headDuration, headSize = 0x1, 0x8, 0x10
	headBaseIsMoof                         = 0x20000

	runDataOffset, runFirstFlags = 0x1, 0x4
	runDuration, runSize         = 0x100, 0x200
	runFlags, runOffset          = 0x400, 0x800
)

// fragmentContainers are the boxes of a fragment whose boxes are read.
var fragmentContainers = []string{"moof", "moof/traf"}

// sampleDefaults are the properties of samples without ones of their own.
type sampleDefaults struct{ duration, size uint32 }

// fragmentTime is the time of the fragments of a track, in its units.
type fragmentTime struct {
	start, end uint64
	begun      bool
}

// fragment is one moof box: runs of samples of some tracks.
type fragment struct {
	index *index
	moof  box
	// headed means that the current traf box has its header. track is that of the
	// header, nil if the movie has no such picture or sound track.
	headed   bool
	track    *track
	defaults sampleDefaults
	// base is the place that the offsets of the current traf are relative to, next
	// the end of the samples before.
	base, next int64
}

// readFragments checks the place of every sample of the fragments and adds up the
// duration of the tracks. Screen recorders write such files; their movie header
// covers the beginning at best.
func (x *index) readFragments() error {
	for _, moof := range x.boxes {
		if moof.path != "moof" {
			continue
		}
		f := &fragment{index: x, moof: moof, base: moof.start, next: moof.start}
		if err := x.reader.walk(box{payload: moof.start, end: moof.end}, fragmentContainers, f.visit); err != nil {
			return err
		}
	}
	for _, t := range x.tracks {
		if t.time.begun {
			// The edit list covers the samples of the moov box at most.
			t.units, t.edited = t.time.end-t.time.start, 0
		}
	}
	return nil
}

func (f *fragment) visit(found box) error {
	switch found.path {
	case "moof/traf":
		f.headed, f.track, f.base = false, nil, f.next
	case "moof/traf/tfhd":
		return f.readHead(found)
	case "moof/traf/tfdt":
		var base mp4.Tfdt
		if f.track == nil {
			return nil
		}
		if err := f.index.reader.decode(found, &base); err != nil {
			return err
		}
		f.track.seek(base.GetBaseMediaDecodeTime())
	case "moof/traf/trun":
		if !f.headed {
			return problemf(Malformed, found.start, "its trun box at byte %d follows no tfhd box", found.start)
		}
		if f.track == nil {
			return nil
		}
		return f.index.tolerate(f.track, f.readRun(found))
	}
	return nil
}

func (f *fragment) readHead(found box) error {
	var header mp4.Tfhd
	if err := f.index.reader.decode(found, &header); err != nil {
		return err
	}
	for _, t := range f.index.tracks {
		if t.id == header.TrackID && (t.handler == handlerPicture || t.handler == handlerSound) {
			f.track = t
			break
		}
	}
	f.headed = true
	var extended bool
	f.defaults, extended = f.index.extends[header.TrackID]
	if !extended && f.track != nil && f.track.handler == handlerPicture {
		return problemf(Malformed, found.start, "its track %d has a fragment at byte %d and no trex box", f.track.id, f.moof.start)
	}
	if header.CheckFlag(headDuration) {
		f.defaults.duration = header.DefaultSampleDuration
	}
	if header.CheckFlag(headSize) {
		f.defaults.size = header.DefaultSampleSize
	}
	switch {
	case header.CheckFlag(headBaseOffset):
		if header.BaseDataOffset > uint64(f.index.reader.size) { //nolint:gosec // not negative
			return problemf(CutOff, found.start, "the video is cut off: samples are at byte %d, and the file has %d", header.BaseDataOffset, f.index.reader.size)
		}
		f.base = int64(header.BaseDataOffset) //nolint:gosec // within the file
	case header.CheckFlag(headBaseIsMoof):
		f.base = f.moof.start
	}
	f.next = f.base
	return nil
}

// readRun checks the place of the samples of a trun box, which lie in one piece.
func (f *fragment) readRun(found box) error {
	reader := f.index.reader
	head, err := reader.head(found, min(12, found.end-found.payload))
	if err != nil {
		return err
	}
	if len(head) < 8 {
		return problemf(Malformed, found.start, "its trun box at byte %d is too short", found.start)
	}
	flags, count := binary.BigEndian.Uint32(head)&0xffffff, binary.BigEndian.Uint32(head[4:])
	fields := func(all ...uint32) (bytes int64) {
		for _, flag := range all {
			if flags&flag != 0 {
				bytes += 4
			}
		}
		return bytes
	}
	start := f.next
	if flags&runDataOffset != 0 {
		if len(head) < 12 {
			return problemf(Malformed, found.start, "its trun box at byte %d is too short", found.start)
		}
		start = f.base + int64(int32(binary.BigEndian.Uint32(head[8:]))) //nolint:gosec // a signed field
	}
	if start < 0 {
		return problemf(Malformed, found.start, "samples of its track %d are before the beginning of the file", f.track.id)
	}
	bytes, units := uint64(count)*uint64(f.defaults.size), uint64(count)*uint64(f.defaults.duration)
	if width := fields(runDuration, runSize, runFlags, runOffset); flags&(runDuration|runSize) != 0 {
		samples, err := reader.table(found, 8+fields(runDataOffset, runFirstFlags), int64(count), width)
		if err != nil {
			return err
		}
		if bytes, units, err = samples.addUp(flags, count, f.defaults, int(width)); err != nil {
			return err
		}
	}
	place, err := f.index.span(f.track, uint64(start), bytes)
	if err != nil {
		return err
	}
	if err := f.index.checkHole(f.track, place); err != nil {
		return err
	}
	f.next = place.end
	f.track.extend(uint64(count), bytes, units)
	return nil
}

// addUp adds up the sizes and durations of the samples of a run.
func (t *table) addUp(flags, count uint32, defaults sampleDefaults, width int) (bytes, units uint64, err error) {
	for ; count > 0; count-- {
		entry, err := t.next(width)
		if err != nil {
			return 0, 0, err
		}
		own := defaults
		if flags&runDuration != 0 {
			own.duration, entry = binary.BigEndian.Uint32(entry), entry[4:]
		}
		if flags&runSize != 0 {
			own.size = binary.BigEndian.Uint32(entry)
		}
		bytes, units = add(bytes, uint64(own.size)), add(units, uint64(own.duration))
	}
	return bytes, units, nil
}

// extend adds the samples of a run to a track.
func (t *track) extend(samples, bytes, units uint64) {
	if !t.time.begun {
		t.seek(t.units)
	}
	t.samples += samples
	t.bytes = add(t.bytes, bytes)
	t.time.end = add(t.time.end, units)
}

// seek sets the decode time of the next run. The samples of the moov box precede
// the first.
func (t *track) seek(at uint64) {
	if !t.time.begun {
		t.time.begun, t.time.start = true, at-min(at, t.units)
	}
	t.time.end = max(t.time.end, at)
}
