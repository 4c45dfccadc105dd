package clip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"golang.org/x/image/riff"

	"lumaflow/internal/fetch"
)

// inspect checks what a file is and returns the extension that goes with it.
// Its errors say what the file is or does wrong, unless there is an
// *fs.PathError in them: then the disk can't read it.
func inspect(file io.ReaderAt, size int64) (extension string, err error) {
	var lasts time.Duration
	if isAVI(file) {
		extension = ".avi"
		lasts, err = inspectAVI(file, size)
	} else {
		var video fetch.Video
		video, err = fetch.InspectReader(file, size)
		extension, lasts = video.Extension, video.Duration
		if err == nil && (video.Width == 0 || video.Height == 0) {
			return "", errors.New("holds no picture, and kie.ai modifies videos")
		}
	}
	// What a header's time scale makes of ten seconds may be a little more.
	lasts = lasts.Truncate(time.Millisecond)
	switch {
	case err != nil:
		return "", fmt.Errorf("is no whole MP4, MOV or AVI: %w", err)
	case lasts > MaxDuration:
		return "", fmt.Errorf("lasts %v and kie.ai takes at most %v: cut it first", lasts, MaxDuration)
	default:
		return extension, nil
	}
}

// The beginning of an AVI file: the form, its length in bytes, and its type.
const (
	formHeader = 8
	formType   = 12
)

func isAVI(file io.ReaderAt) bool {
	head := make([]byte, formType)
	_, err := file.ReadAt(head, 0)
	return err == nil && string(head[:4]) == "RIFF" && string(head[8:]) == "AVI "
}

// inspectAVI reads the duration that the main header of an AVI file tells; 0 if
// it does not. The header is the first chunk of the first list.
func inspectAVI(file io.ReaderAt, size int64) (time.Duration, error) {
	head := make([]byte, formHeader)
	if _, err := file.ReadAt(head, 0); err != nil {
		return 0, err
	}
	if formHeader+int64(binary.LittleEndian.Uint32(head[4:])) > size {
		return 0, errors.New("the video is cut off")
	}
	_, form, err := riff.NewReader(io.NewSectionReader(file, 0, size))
	if err != nil {
		return 0, unlikeAVI(err)
	}
	_, length, list, err := form.Next()
	if err != nil {
		return 0, unlikeAVI(err)
	}
	kind, headers, err := riff.NewListReader(length, list)
	if err != nil || kind != (riff.FourCC{'h', 'd', 'r', 'l'}) {
		return 0, unlikeAVI(err)
	}
	kind, _, content, err := headers.Next()
	if err != nil || kind != (riff.FourCC{'a', 'v', 'i', 'h'}) {
		return 0, unlikeAVI(err)
	}
	// Of its numbers the first is the microseconds of a frame, the fifth the
	// number of frames. (AVIMAINHEADER in Microsoft's AVI RIFF File Reference)
	var header [14]uint32
	if err := binary.Read(content, binary.LittleEndian, &header); err != nil {
		return 0, unlikeAVI(err)
	}
	return time.Duration(min(uint64(header[0])*uint64(header[4]), maxMicroseconds)) * time.Microsecond, nil
}

// maxMicroseconds is longer than any video and fits a Duration.
const maxMicroseconds = uint64(365 * 24 * time.Hour / time.Microsecond)

// unlikeAVI keeps the words of the library to itself, but not those of a disk.
func unlikeAVI(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return err
	}
	return errors.New("it has no AVI header where one belongs")
}
