// Package mp4test builds the boxes of MP4 files for tests.
package mp4test

import (
	"bytes"
	"encoding/binary"
)

// Atom is an MP4 box with a payload of these parts.
func Atom(kind string, parts ...[]byte) []byte {
	payload := bytes.Join(parts, nil)
	header := binary.BigEndian.AppendUint32(nil, uint32(8+len(payload)))
	return append(append(header, kind...), payload...)
}

// FileType is the box ftyp with one brand.
func FileType(brand string) []byte {
	return Atom("ftyp", []byte(brand), make([]byte, 4), []byte(brand))
}

// Movie is the box moov of one track of a width and height in pixels. Its duration
// is a number of units, of which a second has scale.
func Movie(duration, scale uint32, width, height uint16) []byte {
	mvhd := make([]byte, 100)
	binary.BigEndian.PutUint32(mvhd[12:], scale)
	binary.BigEndian.PutUint32(mvhd[16:], duration)
	tkhd := make([]byte, 84)
	binary.BigEndian.PutUint16(tkhd[76:], width)
	binary.BigEndian.PutUint16(tkhd[80:], height)
	return Atom("moov", Atom("mvhd", mvhd), Atom("trak", Atom("tkhd", tkhd)))
}
