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

// movieContainers are the boxes whose boxes are inspected.
var movieContainers = []string{"moov", "moov/trak"}

// InspectMP4 checks that a file of this size is a complete MP4 or MOV: boxes
// fill it exactly, and one of them is the movie header, moov, with boxes that
// fill it exactly.
func InspectMP4(file io.ReaderAt, size int64) (Video, error) {
	if size == 0 {
		return Video{}, MalformedError("the file is empty")
	}
	found := inspection{boxes: &boxReader{file: file}, video: Video{Extension: ".mov"}}
	if err := found.boxes.walk(box{end: size}, movieContainers, found.visit); err != nil {
		return Video{}, err
	}
	if len(found.movies) == 0 {
		return Video{}, MalformedError("it has no moov box")
	}
	if len(found.fragments) > 0 {
		fragmented, err := fragmentedDuration(file, append(found.movies, found.fragments...))
		if err != nil {
			return Video{}, err
		}
		found.video.Duration = max(found.video.Duration, fragmented)
	}
	return found.video, nil
}

// inspection collects the properties of a file from its boxes.
type inspection struct {
	boxes             *boxReader
	video             Video
	movies, fragments []box
}

func (i *inspection) visit(found box) error {
	switch found.path {
	case "ftyp":
		brand := make([]byte, 4)
		if found.end-found.payload < 8 {
			return MalformedError("its ftyp box is too short")
		}
		if err := i.boxes.readAt(brand, found.payload); err != nil {
			return err
		}
		if string(brand) != brandQuickTime {
			i.video.Extension = ".mp4"
		}
	case "moof":
		i.fragments = append(i.fragments, found)
	case "moov":
		if i.movies = append(i.movies, found); len(i.movies) > 1 {
			return MalformedError("it has two moov boxes")
		}
	case "moov/mvhd":
		var header mp4.Mvhd
		if err := i.boxes.decode(found, &header); err != nil {
			return err
		}
		i.video.Duration = toDuration(declaredUnits(header.GetDuration(), header.GetVersion()), header.Timescale)
	case "moov/trak/tkhd":
		var header mp4.Tkhd
		if err := i.boxes.decode(found, &header); err != nil {
			return err
		}
		// Fixed point, 16.16. Tracks without a picture have no size.
		width, height := int(header.Width>>16), int(header.Height>>16)
		if int64(width)*int64(height) > int64(i.video.Width)*int64(i.video.Height) {
			i.video.Width, i.video.Height = width, height
		}
	}
	return nil
}

// decode reads one small box into memory.
func (r *boxReader) decode(found box, into mp4.IBox) error {
	size := found.end - found.payload
	if size > maxDescription {
		return malformedf("its %s box is too long", found.path)
	}
	payload := make([]byte, size)
	if err := r.readAt(payload, found.payload); err != nil {
		return err
	}
	if _, err := mp4.Unmarshal(bytes.NewReader(payload), uint64(len(payload)), into, mp4.Context{}); err != nil {
		return malformedf("its %s box can't be read", found.path)
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
	nanoseconds := time.Duration(rest * uint64(time.Second) / scale) //nolint:gosec // below one second
	return time.Duration(seconds)*time.Second + nanoseconds
}
