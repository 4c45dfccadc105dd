package media

import (
	"io"
	"sync"
)

// blockSize is the number of bytes that a change of the position reads.
const blockSize = 256 << 10

// ReaderAt reads a file at any position. A file that has no ReadAt of its own is read
// in blocks, because each change of the position of a bucket's file is a request.
func ReaderAt(file io.ReadSeeker) io.ReaderAt {
	if at, ok := file.(io.ReaderAt); ok {
		return at
	}
	return &blocks{from: file}
}

type blocks struct {
	mu    sync.Mutex
	from  io.ReadSeeker
	start int64
	block []byte
}

func (b *blocks) ReadAt(p []byte, at int64) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	total := 0
	for total < len(p) {
		position := at + int64(total)
		if position < b.start || position >= b.start+int64(len(b.block)) {
			if _, err := b.from.Seek(position, io.SeekStart); err != nil {
				return total, err
			}
			block := make([]byte, blockSize)
			n, err := io.ReadFull(b.from, block)
			if n == 0 {
				return total, err
			}
			b.start, b.block = position, block[:n]
		}
		total += copy(p[total:], b.block[position-b.start:])
	}
	return total, nil
}
