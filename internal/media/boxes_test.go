package media_test

import (
	"bytes"
	"encoding/binary"
)

// atom is an MP4 box with a payload of these parts.
func atom(kind string, parts ...[]byte) []byte {
	payload := bytes.Join(parts, nil)
	header := binary.BigEndian.AppendUint32(nil, uint32(8+len(payload)))
	return append(append(header, kind...), payload...)
}

func fileType(brand string) []byte {
	return atom("ftyp", []byte(brand), make([]byte, 4), []byte(brand))
}

// movieHeader declares 9.96 s and 1280 x 720 pixels.
func movieHeader() []byte {
	mvhd := make([]byte, 100)
	binary.BigEndian.PutUint32(mvhd[12:], 1000)
	binary.BigEndian.PutUint32(mvhd[16:], 9960)
	tkhd := make([]byte, 84)
	binary.BigEndian.PutUint32(tkhd[76:], 1280<<16)
	binary.BigEndian.PutUint32(tkhd[80:], 720<<16)
	return atom("moov", atom("mvhd", mvhd), atom("trak", atom("tkhd", tkhd)))
}

// numbers encodes the 32-bit fields of a box.
func numbers(all ...uint32) []byte {
	var bytes []byte
	for _, number := range all {
		bytes = binary.BigEndian.AppendUint32(bytes, number)
	}
	return bytes
}
