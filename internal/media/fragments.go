package fetch

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/abema/go-mp4"
)

// The flags of a trun box that say what each of its samples comes with, and of
// a tfhd box that has a duration for all. (ISO/IEC 14496-12, 8.8.7 and 8.8.8)
const (
	runDataOffset, runFirstFlags = 0x1, 0x4
	runDuration, runSize         = 0x100, 0x200
	runFlags, runOffset          = 0x400, 0x800
	headDefaultDuration          = 0x8
	// runChunk is how many bytes of a run are read at a time.
	runChunk = 16 << 10
)

// timeline adds up how long the tracks of a file are whose samples come in
// fragments, as screen recorders write them: the header of such a file tells of
// its beginning at best. It only looks. A fragment that can't be read makes the
// duration unknown, not the file wrong.
type timeline struct {
	*boxReader
	tracks map[uint32]*trackTime
	// broken says that a fragment could not be read.
	broken bool
}

// trackTime is one track's time, in units of its own scale.
type trackTime struct {
	id    uint32
	scale uint32
	// header is how long the samples are that the movie header describes,
	// usual how long a sample is that no fragment tells of.
	header, usual uint64
	// start and end are those of the fragments so far.
	start, end uint64
	begun      bool
}

// fragmentsLast is how long the fragments of a file last, with what its movie
// header describes; 0 if that can't be told.
func fragmentsLast(file io.ReaderAt, size int64, movie box, fragments []box) (time.Duration, error) {
	line := &timeline{boxReader: &boxReader{file: file, size: size}, tracks: map[uint32]*trackTime{}}
	if err := line.header(movie); err != nil {
		return 0, err
	}
	for _, fragment := range fragments {
		if err := line.fragment(fragment); err != nil {
			return 0, err
		}
	}
	if line.broken {
		return 0, nil
	}
	longest := time.Duration(0)
	for _, track := range line.tracks {
		longest = max(longest, lasting(track.end-track.start, track.scale))
	}
	return longest, nil
}

// lookInto has visit look at the boxes within another, which may turn out to be
// none.
func (t *timeline) lookInto(within box, visit func(box) error) error {
	err := t.each(within, visit)
	var odd malformedError
	if errors.As(err, &odd) {
		t.broken = true
		return nil
	}
	return err
}

// header learns the tracks from the movie header.
func (t *timeline) header(movie box) error {
	usual := map[uint32]uint64{}
	err := t.lookInto(movie, func(found box) error {
		switch found.kind {
		case "trak":
			return t.track(found)
		case "mvex":
			return t.lookInto(found, func(found box) error {
				var defaults mp4.Trex
				if found.kind != "trex" {
					return nil
				}
				err := t.decode(found, &defaults)
				usual[defaults.TrackID] = uint64(defaults.DefaultSampleDuration)
				return err
			})
		}
		return nil
	})
	for id, track := range t.tracks {
		track.usual = usual[id]
	}
	return err
}

func (t *timeline) track(trak box) error {
	track := &trackTime{}
	err := t.lookInto(trak, func(found box) error {
		switch found.kind {
		case "tkhd":
			var header mp4.Tkhd
			err := t.decode(found, &header)
			track.id = header.TrackID
			return err
		case "mdia":
			return t.lookInto(found, func(found box) error {
				var header mp4.Mdhd
				if found.kind != "mdhd" {
					return nil
				}
				err := t.decode(found, &header)
				track.scale, track.header = header.Timescale, knownUnits(header.GetDuration(), header.GetVersion())
				return err
			})
		}
		return nil
	})
	t.tracks[track.id] = track
	return err
}

// fragment adds one moof box.
func (t *timeline) fragment(moof box) error {
	return t.lookInto(moof, func(found box) error {
		if found.kind != "traf" {
			return nil
		}
		return t.run(found)
	})
}

// run adds the samples that one fragment has of one track.
func (t *timeline) run(traf box) error {
	track, usual := (*trackTime)(nil), uint64(0)
	return t.lookInto(traf, func(found box) error {
		if found.kind == "tfhd" {
			var header mp4.Tfhd
			if err := t.decode(found, &header); err != nil {
				return err
			}
			if track = t.tracks[header.TrackID]; track == nil {
				return malformedError("a fragment is of no track")
			}
			usual = track.usual
			if header.CheckFlag(headDefaultDuration) {
				usual = uint64(header.DefaultSampleDuration)
			}
			return nil
		}
		if track == nil {
			return nil
		}
		switch found.kind {
		case "tfdt":
			var base mp4.Tfdt
			if err := t.decode(found, &base); err != nil {
				return err
			}
			track.begin(base.GetBaseMediaDecodeTime())
		case "trun":
			units, err := t.samples(found, usual)
			if err != nil {
				return err
			}
			if !track.begun {
				track.begin(track.header)
			}
			if track.end += units; track.end < units {
				return malformedError("a fragment is endless")
			}
		}
		return nil
	})
}

// begin says where the next fragment does. What the movie header describes
// comes before the first.
func (t *trackTime) begin(at uint64) {
	if !t.begun {
		t.begun, t.start = true, at-min(at, t.header)
	}
	t.end = max(t.end, at)
}

// samples is how long the samples of a run are. It holds little of the run at
// a time, however many samples that claims to have.
func (t *timeline) samples(trun box, usual uint64) (units uint64, err error) {
	head := make([]byte, 8)
	if trun.end-trun.payload < int64(len(head)) {
		return 0, malformedError("a trun box is too short")
	}
	if err := t.at(head, trun.payload); err != nil {
		return 0, err
	}
	flags, count := binary.BigEndian.Uint32(head)&0xffffff, uint64(binary.BigEndian.Uint32(head[4:]))
	if flags&runDuration == 0 {
		return count * usual, nil
	}
	size := func(each ...uint32) (bytes int64) {
		for _, flag := range each {
			if flags&flag != 0 {
				bytes += 4
			}
		}
		return bytes
	}
	// The duration is the first that a sample comes with.
	sample := size(runDuration, runSize, runFlags, runOffset)
	at := trun.payload + int64(len(head)) + size(runDataOffset, runFirstFlags)
	end := at + int64(count)*sample
	if end > trun.end {
		return 0, malformedError("a trun box is too short")
	}
	chunk := make([]byte, runChunk/sample*sample)
	for at < end {
		piece := chunk[:min(int64(len(chunk)), end-at)]
		if err := t.at(piece, at); err != nil {
			return 0, err
		}
		at += int64(len(piece))
		for ; len(piece) > 0; piece = piece[sample:] {
			units += uint64(binary.BigEndian.Uint32(piece))
		}
	}
	return units, nil
}
