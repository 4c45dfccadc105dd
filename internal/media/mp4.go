package media

import (
	"bytes"
	"io"
	"math"
	"time"

	"github.com/abema/go-mp4"
)

const (
	brandQuickTime = "qt  "
	// maxDescription bounds the boxes that are read into memory. They have about
	// a hundred bytes.
	maxDescription = 1 << 10
)

// InspectMP4 checks that a file of this size is a complete MP4 or MOV: boxes
// fill it exactly, and one of them is the movie header, moov, with boxes that
// fill it exactly.
func InspectMP4(file io.ReaderAt, size int64) (Video, error) {
	if size == 0 {
		return Video{}, MalformedError("the file is empty")
	}
	reader := &boxReader{file: file, size: size}
	video := Video{Extension: ".mov"}
	var movies, fragments []box
	err := reader.each(reader.whole(), func(found box) error {
		switch found.kind {
		case "ftyp":
			brand := make([]byte, 4)
			if found.end-found.payload < 8 {
				return MalformedError("its ftyp box is too short")
			}
			if err := reader.readAt(brand, found.payload); err != nil {
				return err
			}
			if string(brand) != brandQuickTime {
				video.Extension = ".mp4"
			}
		case "moov":
			if movies = append(movies, found); len(movies) > 1 {
				return MalformedError("it has two moov boxes")
			}
			return video.readMovie(reader, found)
		case "moof":
			fragments = append(fragments, found)
		}
		return nil
	})
	if err != nil {
		return Video{}, err
	}
	if len(movies) == 0 {
		return Video{}, MalformedError("it has no moov box")
	}
	if len(fragments) > 0 {
		fragmented, err := fragmentedDuration(file, size, movies[0], fragments)
		if err != nil {
			return Video{}, err
		}
		video.Duration = max(video.Duration, fragmented)
	}
	return video, nil
}

func (v *Video) readMovie(reader *boxReader, movie box) error {
	return reader.each(movie, func(found box) error {
		switch found.kind {
		case "mvhd":
			var header mp4.Mvhd
			if err := reader.decode(found, &header); err != nil {
				return err
			}
			v.Duration = toDuration(declaredUnits(header.GetDuration(), header.GetVersion()), header.Timescale)
		case "trak":
			return v.readTrack(reader, found)
		}
		return nil
	})
}

func (v *Video) readTrack(reader *boxReader, track box) error {
	return reader.each(track, func(found box) error {
		if found.kind != "tkhd" {
			return nil
		}
		var header mp4.Tkhd
		if err := reader.decode(found, &header); err != nil {
			return err
		}
		// Fixed point, 16.16. Tracks without a picture have no size.
		width, height := int64(header.Width>>16), int64(header.Height>>16)
		if width*height > int64(v.Width)*int64(v.Height) {
			v.Width, v.Height = int(width), int(height)
		}
		return nil
	})
}

// decode reads one small box into memory.
func (r *boxReader) decode(found box, into mp4.IBox) error {
	size := found.end - found.payload
	if size > maxDescription {
		return malformedf("its %s box is too long", found.kind)
	}
	payload := make([]byte, size)
	if err := r.readAt(payload, found.payload); err != nil {
		return err
	}
	if _, err := mp4.Unmarshal(bytes.NewReader(payload), uint64(len(payload)), into, mp4.Context{}); err != nil {
		return malformedf("its %s box can't be read", found.kind)
	}
	return nil
}

// declaredUnits is the duration field of a header. All ones mean that the
// duration is not declared; it is 0 then.
func declaredUnits(units uint64, version uint8) uint64 {
	if units == math.MaxUint64 || version == 0 && units == math.MaxUint32 {
		return 0
	}
	return units
}

// toDuration converts units of a time scale, which is their number per second.
// It is 0 if the scale is 0 or the duration overflows.
func toDuration(units uint64, timescale uint32) time.Duration {
	scale := uint64(timescale)
	if scale == 0 {
		return 0
	}
	seconds, rest := units/scale, units%scale
	if seconds >= uint64(math.MaxInt64/time.Second) {
		return 0
	}
	return time.Duration(seconds)*time.Second + time.Duration(rest*uint64(time.Second)/scale)
}
