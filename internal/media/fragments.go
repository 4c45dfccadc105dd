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

// timeline adds up the duration of tracks with samples in fragments. Screen
// recorders write such files; their movie header covers the beginning at best.
// A malformed fragment makes the duration unknown, it does not make the file
// malformed.
type timeline struct {
	boxes  *boxReader
	tracks map[uint32]*trackTime
	// incomplete is set by a fragment that is malformed.
	incomplete bool
}

// trackTime is the time of one track, in units of its own scale.
type trackTime struct {
	id    uint32
	scale uint32
	// header is the duration of the samples that the movie header describes.
	header uint64
	// sampleDefault is the duration of a sample without one of its own.
	sampleDefault uint64
	// start and end are those of the fragments so far.
	start, end uint64
	begun      bool
}

// fragmentedDuration is the duration of the fragments of a file, with the
// samples that its movie header describes; 0 if it can't be determined.
func fragmentedDuration(file io.ReaderAt, size int64, movie box, fragments []box) (time.Duration, error) {
	line := &timeline{boxes: &boxReader{file: file, size: size}, tracks: map[uint32]*trackTime{}}
	if err := line.addTracks(movie); err != nil {
		return 0, err
	}
	for _, fragment := range fragments {
		if err := line.addFragment(fragment); err != nil {
			return 0, err
		}
	}
	if line.incomplete {
		return 0, nil
	}
	longest := time.Duration(0)
	for _, track := range line.tracks {
		longest = max(longest, toDuration(track.end-track.start, track.scale))
	}
	return longest, nil
}

// each calls visit for the boxes within another. Malformed ones make the
// timeline incomplete; only a failure to read is an error.
func (t *timeline) each(within box, visit func(box) error) error {
	err := t.boxes.each(within, visit)
	if _, ok := errors.AsType[MalformedError](err); ok {
		t.incomplete = true
		return nil
	}
	return err
}

// addTracks reads the tracks from the movie header.
func (t *timeline) addTracks(movie box) error {
	defaults := map[uint32]uint64{}
	err := t.each(movie, func(found box) error {
		switch found.kind {
		case "trak":
			return t.addTrack(found)
		case "mvex":
			return t.each(found, func(found box) error {
				if found.kind != "trex" {
					return nil
				}
				var extends mp4.Trex
				err := t.boxes.decode(found, &extends)
				defaults[extends.TrackID] = uint64(extends.DefaultSampleDuration)
				return err
			})
		}
		return nil
	})
	for id, track := range t.tracks {
		track.sampleDefault = defaults[id]
	}
	return err
}

func (t *timeline) addTrack(trak box) error {
	track := &trackTime{}
	err := t.each(trak, func(found box) error {
		switch found.kind {
		case "tkhd":
			var header mp4.Tkhd
			err := t.boxes.decode(found, &header)
			track.id = header.TrackID
			return err
		case "mdia":
			return t.each(found, func(found box) error {
				if found.kind != "mdhd" {
					return nil
				}
				var header mp4.Mdhd
				err := t.boxes.decode(found, &header)
				track.scale, track.header = header.Timescale, declaredUnits(header.GetDuration(), header.GetVersion())
				return err
			})
		}
		return nil
	})
	t.tracks[track.id] = track
	return err
}

// addFragment adds the track fragments of one moof box.
func (t *timeline) addFragment(moof box) error {
	return t.each(moof, func(found box) error {
		if found.kind != "traf" {
			return nil
		}
		return t.addTrackFragment(found)
	})
}

// addTrackFragment adds the samples that one fragment has of one track.
func (t *timeline) addTrackFragment(traf box) error {
	track, sampleDefault := (*trackTime)(nil), uint64(0)
	return t.each(traf, func(found box) error {
		if found.kind == "tfhd" {
			var header mp4.Tfhd
			if err := t.boxes.decode(found, &header); err != nil {
				return err
			}
			if track = t.tracks[header.TrackID]; track == nil {
				return MalformedError("a fragment is of no track")
			}
			sampleDefault = track.sampleDefault
			if header.CheckFlag(headDefaultDuration) {
				sampleDefault = uint64(header.DefaultSampleDuration)
			}
			return nil
		}
		if track == nil {
			return nil
		}
		switch found.kind {
		case "tfdt":
			var base mp4.Tfdt
			if err := t.boxes.decode(found, &base); err != nil {
				return err
			}
			track.seek(base.GetBaseMediaDecodeTime())
		case "trun":
			units, err := t.runDuration(found, sampleDefault)
			if err != nil {
				return err
			}
			if !track.begun {
				track.seek(track.header)
			}
			if track.end += units; track.end < units {
				return MalformedError("a fragment is endless")
			}
		}
		return nil
	})
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
func (t *timeline) runDuration(trun box, sampleDefault uint64) (units uint64, err error) {
	head := make([]byte, 8)
	if trun.end-trun.payload < int64(len(head)) {
		return 0, MalformedError("a trun box is too short")
	}
	if err := t.boxes.readAt(head, trun.payload); err != nil {
		return 0, err
	}
	flags, count := binary.BigEndian.Uint32(head)&0xffffff, binary.BigEndian.Uint32(head[4:])
	if flags&runDuration == 0 {
		return uint64(count) * sampleDefault, nil
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
