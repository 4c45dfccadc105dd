package kietest

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// noiseBlock is the unit of generation. It is small, since a read from its middle
// generates all of it.
const noiseBlock = 4 << 10

// noise is one media data box of any size, generated on the fly: its content is
// pseudorandom, determined by the key, and readable from any offset.
type noise struct {
	size int64 // with the box header
	key  [32]byte
}

func (n noise) ReadAt(p []byte, offset int64) (int, error) {
	total := 0
	for total < len(p) && offset < n.size {
		var block [noiseBlock]byte
		index := offset / noiseBlock
		n.fill(&block, index)
		within := block[offset-index*noiseBlock : min(noiseBlock, n.size-index*noiseBlock)]
		copied := copy(p[total:], within)
		total += copied
		offset += int64(copied)
	}
	if total < len(p) {
		return total, io.EOF
	}
	return total, nil
}

func (n noise) fill(block *[noiseBlock]byte, index int64) {
	key := n.key
	binary.LittleEndian.PutUint64(key[:8], binary.LittleEndian.Uint64(key[:8])^uint64(index))
	_, _ = rand.NewChaCha8(key).Read(block[:]) // never fails
	if index == 0 {
		binary.BigEndian.PutUint32(block[:4], uint32(n.size))
		copy(block[4:], "mdat")
	}
}
