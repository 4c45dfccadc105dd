package media

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/abema/go-mp4"
)

// The flags of a trun box declare the fields of each of its samples; a tfhd box
// may declare one duration for all. (ISO/IEC 14496-12, 8.8.7 and 8.8.8)
const (
	runDataOffset, runFirstFlags = 0x1, 0x4
	runDuration, runSize         = 0x100, 0x200
	runFlags, runOffset          = 0x400, 0x800
	headDefaultDuration          = 0x8
	// runChunk bounds the bytes of a run that are read at a time.
	runChunk = 16 << 10
)

// fragmentContainers are the boxes that describe the tracks and their fragments.
var fragmentContainers = []string{"moov/trak", "moov/trak/mdia", "moov/mvex", "moof/traf"}

// timeline adds up the duration of tracks with samples in fragments. Screen
// recorders write such files; their movie header covers the beginning at best.
type timeline struct {
	boxes  *boxReader
	tracks map[uint32]*trackTime
	// defaults are the durations of samples without one of their own, by track.
	defaults map[uint32]uint64
	// track is that of the current trak or traf box, nil before the header of a traf.
	track *trackTime
	// sampleDefault is the default duration of a sample in the current traf box.
	sampleDefault uint64
}

// trackTime is the time of one track, in units of its own scale.
type trackTime struct {
	scale uint32
	// header is the duration of the samples that the movie header describes.
	header uint64
	// start and end are those of the fragments so far.
	start, end uint64
	begun      bool
}

// fragmentedDuration is the duration of the moof boxes of a file, with the samples
// that its moov box, the first of the boxes, describes. It is 0 if the duration
// can't be determined: a malformed fragment does not make the file malformed.
func fragmentedDuration(file io.ReaderAt, boxes []box) (longest time.Duration, err error) {
	line := timeline{boxes: &boxReader{file: file}, tracks: map[uint32]*trackTime{}, defaults: map[uint32]uint64{}}
	for _, part := range boxes {
		err := line.boxes.walk(part, fragmentContainers, line.visit)
		if _, malformed := errors.AsType[MalformedError](err); malformed {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
	}
	for _, track := range line.tracks {
		longest = max(longest, toDuration(track.end-track.start, track.scale))
	}
	return longest, nil
}

func (t *timeline) visit(found box) error {
	switch found.path {
	case "moov/trak":
		t.track = &trackTime{}
	case "moov/trak/tkhd":
		var header mp4.Tkhd
		if err := t.boxes.decode(found, &header); err != nil {
			return err
		}
		t.tracks[header.TrackID] = t.track
	case "moov/trak/mdia/mdhd":
		var header mp4.Mdhd
		if err := t.boxes.decode(found, &header); err != nil {
			return err
		}
		t.track.scale, t.track.header = header.Timescale, declaredUnits(header.GetDuration(), header.GetVersion())
	case "moov/mvex/trex":
		var extends mp4.Trex
		if err := t.boxes.decode(found, &extends); err != nil {
			return err
		}
		t.defaults[extends.TrackID] = uint64(extends.DefaultSampleDuration)
	case "moof/traf":
		t.track = nil
	case "moof/traf/tfhd":
		var header mp4.Tfhd
		if err := t.boxes.decode(found, &header); err != nil {
			return err
		}
		if t.track = t.tracks[header.TrackID]; t.track == nil {
			return MalformedError("a fragment is of no track")
		}
		t.sampleDefault = t.defaults[header.TrackID]
		if header.CheckFlag(headDefaultDuration) {
			t.sampleDefault = uint64(header.DefaultSampleDuration)
		}
	case "moof/traf/tfdt":
		if t.track == nil {
			return nil
		}
		var base mp4.Tfdt
		if err := t.boxes.decode(found, &base); err != nil {
			return err
		}
		t.track.seek(base.GetBaseMediaDecodeTime())
	case "moof/traf/trun":
		if t.track == nil {
			return nil
		}
		units, err := t.runDuration(found)
		if err != nil {
			return err
		}
		if !t.track.begun {
			t.track.seek(t.track.header)
		}
		if t.track.end += units; t.track.end < units {
			return MalformedError("a fragment is endless")
		}
	}
	return nil
}

// seek sets the decode time of the next fragment. The samples of the movie
// header precede the first.
func (t *trackTime) seek(at uint64) {
	if !t.begun {
		t.begun, t.start = true, at-min(at, t.header)
	}
	t.end = max(t.end, at)
}

// runDuration is the duration of the samples of a run. It reads the run in
// chunks, whatever number of samples the run declares.
func (t *timeline) runDuration(trun box) (units uint64, err error) {
	head := make([]byte, 8)
	if trun.end-trun.payload < int64(len(head)) {
		return 0, MalformedError("a trun box is too short")
	}
	if err := t.boxes.readAt(head, trun.payload); err != nil {
		return 0, err
	}
	flags, count := binary.BigEndian.Uint32(head)&0xffffff, binary.BigEndian.Uint32(head[4:])
	if flags&runDuration == 0 {
		return uint64(count) * t.sampleDefault, nil
	}
	size := func(fields ...uint32) (bytes int64) {
		for _, flag := range fields {
			if flags&flag != 0 {
				bytes += 4
			}
		}
		return bytes
	}
	// The duration is the first field of a sample.
	sample := size(runDuration, runSize, runFlags, runOffset)
	at := trun.payload + int64(len(head)) + size(runDataOffset, runFirstFlags)
	end := at + int64(count)*sample
	if end > trun.end {
		return 0, MalformedError("a trun box is too short")
	}
	chunk := make([]byte, runChunk/sample*sample)
	for at < end {
		piece := chunk[:min(int64(len(chunk)), end-at)]
		if err := t.boxes.readAt(piece, at); err != nil {
			return 0, err
		}
		at += int64(len(piece))
		for ; len(piece) > 0; piece = piece[sample:] {
			units += uint64(binary.BigEndian.Uint32(piece))
		}
	}
	return units, nil
}
