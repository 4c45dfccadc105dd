package media

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"time"

	"golang.org/x/image/riff"
)

const (
	// An AVI file is one RIFF chunk: its identifier and its length in bytes make
	// up the chunk header, and the form type follows.
	riffChunkHeader = 8
	riffFormHeader  = 12
	// maxMicroseconds is longer than any video and fits a time.Duration.
	maxMicroseconds = uint64(365 * 24 * time.Hour / time.Microsecond)
)

// aviSize returns the length that an AVI file declares, and whether the file
// begins like one.
func aviSize(file io.ReaderAt) (size int64, ok bool) {
	header := make([]byte, riffFormHeader)
	if _, err := file.ReadAt(header, 0); err != nil {
		return 0, false
	}
	size = riffChunkHeader + int64(binary.LittleEndian.Uint32(header[4:]))
	return size, string(header[:4]) == "RIFF" && string(header[8:]) == "AVI "
}

// inspectAVI reads the duration from the main header, the first chunk of the
// first list. It does not check the samples.
func inspectAVI(file io.ReaderAt, size, declared int64) (Video, error) {
	if declared > size {
		return Video{}, MalformedError("the video is cut off")
	}
	_, form, err := riff.NewReader(io.NewSectionReader(file, 0, size))
	if err != nil {
		return Video{}, noAVIHeader(err)
	}
	_, length, list, err := form.Next()
	if err != nil {
		return Video{}, noAVIHeader(err)
	}
	kind, headers, err := riff.NewListReader(length, list)
	if err != nil || kind != (riff.FourCC{'h', 'd', 'r', 'l'}) {
		return Video{}, noAVIHeader(err)
	}
	kind, _, content, err := headers.Next()
	if err != nil || kind != (riff.FourCC{'a', 'v', 'i', 'h'}) {
		return Video{}, noAVIHeader(err)
	}
	// The first number is the microseconds per frame, the fifth the number of
	// frames. (AVIMAINHEADER in Microsoft's AVI RIFF File Reference)
	var header [14]uint32
	if err := binary.Read(content, binary.LittleEndian, &header); err != nil {
		return Video{}, noAVIHeader(err)
	}
	microseconds := min(uint64(header[0])*uint64(header[4]), maxMicroseconds)
	return Video{Duration: time.Duration(microseconds) * time.Microsecond, Extension: ".avi"}, nil
}

// noAVIHeader replaces the errors of the RIFF library, but keeps read failures.
func noAVIHeader(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return MalformedError("it has no AVI header where one belongs")
}
