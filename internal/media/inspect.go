package fetch

import (
	"bytes"
	"io"
	"math"
	"os"
	"time"

	"github.com/abema/go-mp4"
)

const (
	brandQuickTime = "qt  "
	// maxDescription bounds the boxes that are read whole; they come to a
	// hundred bytes.
	maxDescription = 1 << 10
)

// Video is what a file tells about itself.
type Video struct {
	// Duration is 0 if the file does not tell.
	Duration time.Duration
	// Width and Height are those of the largest track in pixels, before any
	// rotation; 0 if the file does not tell.
	Width, Height int
	// Extension is ".mp4", or ".mov" for QuickTime files.
	Extension string
}

// ContentType is the media type that goes with the extension.
func (v Video) ContentType() string {
	if v.Extension == ".mov" {
		return "video/quicktime"
	}
	return "video/mp4"
}

// Inspect checks that a file is a complete MP4 or MOV: boxes fill it exactly,
// and one of them is the movie header, moov, whose own boxes fill that. It does
// not decode: wrong bytes inside the media data go unnoticed. It reads a few
// headers only, however large the file is.
func Inspect(path string) (Video, error) {
	file, err := os.Open(path)
	if err != nil {
		return Video{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Video{}, err
	}
	if !info.Mode().IsRegular() {
		return Video{}, malformedError("not a regular file")
	}
	return InspectReader(file, info.Size())
}

// InspectReader is Inspect for a file that is open and known to be a regular
// one of this size.
func InspectReader(file io.ReaderAt, size int64) (Video, error) {
	if size == 0 {
		return Video{}, malformedError("the file is empty")
	}
	reader := &boxReader{file: file, size: size}
	video := Video{Extension: ".mov"}
	var movies, fragments []box
	err := reader.each(reader.whole(), func(found box) error {
		switch found.kind {
		case "ftyp":
			brand := make([]byte, 4)
			if found.end-found.payload < 8 {
				return malformedError("its ftyp box is too short")
			}
			if err := reader.at(brand, found.payload); err != nil {
				return err
			}
			if string(brand) != brandQuickTime {
				video.Extension = ".mp4"
			}
		case "moov":
			if movies = append(movies, found); len(movies) > 1 {
				return malformedError("it has two moov boxes")
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
		return Video{}, malformedError("it has no moov box")
	}
	if len(fragments) > 0 {
		last, err := fragmentsLast(file, size, movies[0], fragments)
		if err != nil {
			return Video{}, err
		}
		video.Duration = max(video.Duration, last)
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
			v.Duration = lasting(knownUnits(header.GetDuration(), header.GetVersion()), header.Timescale)
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
		// Fixed point, 16.16; other tracks than pictures have no size.
		width, height := int64(header.Width>>16), int64(header.Height>>16)
		if width*height > int64(v.Width)*int64(v.Height) {
			v.Width, v.Height = int(width), int(height)
		}
		return nil
	})
}

// decode reads one small box as a whole.
func (r *boxReader) decode(found box, into mp4.IBox) error {
	size := found.end - found.payload
	if size > maxDescription {
		return malformedf("its %s box is too long", found.kind)
	}
	payload := make([]byte, size)
	if err := r.at(payload, found.payload); err != nil {
		return err
	}
	if _, err := mp4.Unmarshal(bytes.NewReader(payload), uint64(size), into, mp4.Context{}); err != nil {
		return malformedf("its %s box can't be read", found.kind)
	}
	return nil
}

// knownUnits is a duration field of a header: all ones mean that the duration
// is not known.
func knownUnits(units uint64, version uint8) uint64 {
	if units == math.MaxUint64 || version == 0 && units == math.MaxUint32 {
		return 0
	}
	return units
}

// lasting is a duration in units of which there are so many in a second; 0 if
// it can't be.
func lasting(units uint64, perSecond uint32) time.Duration {
	scale := uint64(perSecond)
	if scale == 0 || units/scale >= uint64(math.MaxInt64/time.Second) {
		return 0
	}
	seconds, rest := units/scale, units%scale
	return time.Duration(seconds)*time.Second + time.Duration(rest*uint64(time.Second)/scale)
}
