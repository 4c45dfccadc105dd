// Package media inspects video files: whether a file is a complete MP4, MOV or
// AVI, how long it plays and how large its picture is. It reads headers only,
// whatever the size of the file, and decodes no samples: damage inside the media
// data goes unnoticed.
package media

import (
	"fmt"
	"io"
	"time"
)

// Video describes an inspected file.
type Video struct {
	// Duration is 0 if the file declares none.
	Duration time.Duration
	// Width and Height are those of the largest track in pixels, before any
	// rotation. They are 0 if no track declares a size, and for AVI files.
	Width, Height int
	// Extension is ".mp4", ".mov" or ".avi". The content decides, not the name.
	Extension string
}

// ContentType is the media type that belongs to the extension.
func (v Video) ContentType() string {
	switch v.Extension {
	case ".mov":
		return "video/quicktime"
	case ".avi":
		return "video/x-msvideo"
	default:
		return "video/mp4"
	}
}

// MalformedError is the reason why a file is not a complete video. Every other
// error of this package is a failure to read the file.
type MalformedError string

func (e MalformedError) Error() string { return string(e) }

func malformedf(format string, args ...any) error {
	return MalformedError(fmt.Sprintf(format, args...))
}

// Inspect checks that a file of this size is an MP4 or MOV, as InspectMP4 does,
// or an AVI.
func Inspect(file io.ReaderAt, size int64) (Video, error) {
	if declared, ok := aviSize(file); ok {
		return inspectAVI(file, size, declared)
	}
	return InspectMP4(file, size)
}
