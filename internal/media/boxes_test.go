package media_test

import (
	"encoding/binary"

	"lumaflow/test/mp4test"
)

var atom, fileType = mp4test.Atom, mp4test.FileType

// numbers encodes the 32-bit fields of a box.
func numbers(all ...uint32) []byte {
	var bytes []byte
	for _, number := range all {
		bytes = binary.BigEndian.AppendUint32(bytes, number)
	}
	return bytes
}
