// Package media inspects video files: whether a file is an MP4, MOV or AVI with a
// picture, how long it plays and how large its picture is. The index of the file
// decides: a file is a video if it has a picture track with at least one sample and
// the file contains every sample. Other bytes, unknown boxes and their order are of
// no importance.
//
// An inspection reads the index only, whatever the size of the file, and decodes no
// samples: damage inside the media data goes unnoticed. Its memory and time are
// bounded, whatever the file claims: at most 65,536 box headers, 262,144 more of an AVI,
// 16 MB of tables, and 4 MB of an index that is compressed.
package media

import (
	"io"
	"time"
)

// Video describes an inspected file.
type Video struct {
	// Duration is that of the longest picture or sound track, as its samples and its
	// edit list give it, or that of the movie header if it is longer. It is 0 if the
	// file has none.
	Duration time.Duration
	// Frame is the mean duration of a frame of the longest picture track, 0 if it is
	// not known.
	Frame time.Duration
	// Width and Height are those of the largest picture track in pixels, before any
	// rotation, those of an AVI of its first picture stream. They are 0 if the track
	// declares no size.
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

// Inspect inspects a file of this size: an MP4 or MOV, as InspectMP4 does, or an
// AVI. An AVI that was written to a pipe declares no number of frames; one that was
// cut off between two of them can't be detected.
//
// The error is an *Error if the file is no video, else a failure to read it.
func Inspect(file io.ReaderAt, size int64) (Video, error) { return inspect(file, size, false) }

// InspectSource is Inspect for a file whose transport has proven the number of its
// bytes, like InspectDelivered.
func InspectSource(file io.ReaderAt, size int64) (Video, error) { return inspect(file, size, true) }

func inspect(file io.ReaderAt, size int64, delivered bool) (Video, error) {
	r := newReader(file, size)
	if avi, err := beginsLikeAVI(r); err != nil || avi {
		if err != nil {
			return Video{}, err
		}
		return inspectAVI(r)
	}
	return inspectMP4(r, delivered)
}

// InspectMP4 inspects an MP4 or MOV file of this size. A fragmented file must have
// a mark of its end, or its length declared: without them a file that was cut off
// between two fragments is indistinguishable from a complete one. Its error is an *Error
// of the problem Unfinished.
func InspectMP4(file io.ReaderAt, size int64) (Video, error) {
	return inspectMP4(newReader(file, size), false)
}

// InspectDelivered is InspectMP4 for a file whose transport has proven the number of
// its bytes. A fragmented file needs no mark of its end.
func InspectDelivered(file io.ReaderAt, size int64) (Video, error) {
	return inspectMP4(newReader(file, size), true)
}
