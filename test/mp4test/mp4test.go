// Package mp4test builds the boxes of MP4 files for tests.
package mp4test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
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

// Movie is a file of one picture track, whose samples lie in one piece.
type Movie struct {
	// Brand is that of the file, "isom" by default.
	Brand string
	// Duration is a number of units, of which a second has Scale.
	Duration, Scale uint32
	// Width and Height are in pixels.
	Width, Height uint16
	// Frames is the number of samples, 1 by default.
	Frames uint32
	// Media is the content of the samples.
	Media []byte
}

// Bytes is the file: ftyp, moov and mdat.
func (m Movie) Bytes() []byte {
	head := FileType(cmp.Or(m.Brand, "isom"))
	mediaAt := uint32(len(head) + len(m.index(0)) + 8)
	return slices.Concat(head, m.index(mediaAt), Atom("mdat", m.Media))
}

// index is the box moov. The last sample has the bytes that are left over.
func (m Movie) index(mediaAt uint32) []byte {
	mvhd := make([]byte, 100)
	copy(mvhd[12:], Numbers(m.Scale, m.Duration))
	tkhd := make([]byte, 84)
	copy(tkhd[12:], Numbers(1))
	binary.BigEndian.PutUint16(tkhd[76:], m.Width)
	binary.BigEndian.PutUint16(tkhd[80:], m.Height)
	mdhd := make([]byte, 24)
	copy(mdhd[12:], Numbers(m.Scale, m.Duration))
	hdlr := append(make([]byte, 8), "vide\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	frames := max(1, m.Frames)
	size, each := uint32(len(m.Media))/frames, m.Duration/frames
	sizes := make([]uint32, frames)
	for i := range sizes {
		sizes[i] = size
	}
	sizes[frames-1] += uint32(len(m.Media)) % frames
	return Atom("moov", Atom("mvhd", mvhd), Atom("trak", Atom("tkhd", tkhd), Atom("mdia",
		Atom("mdhd", mdhd), Atom("hdlr", hdlr), Atom("minf", Atom("stbl",
			Atom("stsd", Numbers(0, 1), Atom("raw ", make([]byte, 78))),
			Atom("stts", Numbers(0, 2, frames-1, each, 1, m.Duration-each*(frames-1))),
			Atom("stsc", Numbers(0, 1, 1, frames, 1)),
			Atom("stsz", Numbers(0, 0, frames), Numbers(sizes...)),
			Atom("stco", Numbers(0, 1, mediaAt)))))))
}

// Numbers encodes the 32-bit fields of a box.
func Numbers(all ...uint32) []byte {
	var encoded []byte
	for _, number := range all {
		encoded = binary.BigEndian.AppendUint32(encoded, number)
	}
	return encoded
}
