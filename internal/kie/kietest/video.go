package kietest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
)

// video describes a file without holding it in memory: a playable clip, from memory
// or disk, followed by boxes that players skip. The boxes give it the requested
// size and unique bytes.
type video struct {
	stock  []byte
	file   string // inside Server.files, instead of stock
	noise  noise
	tail   []byte
	size   int64
	sha256 string
}

// etag is strong: equal tags mean equal bytes.
func (v video) etag() string { return `"` + v.sha256[:32] + `"` }

// encode makes one encoding of a result from a playable base.
func (s *Server) encode(ctx context.Context, base video, t *task, index, encoding int) (video, error) {
	made := base
	made.tail = box("free", fmt.Appendf(nil, "simulated task=%s result=%d take=%d", t.id, index, encoding))
	made.size += int64(len(made.tail))
	if missing := t.marks.size - made.size; missing >= boxHeader {
		made.noise = noise{size: missing, key: sha256.Sum256(made.tail)}
		made.size += missing
	}
	content, err := s.open(made)
	if err != nil {
		return video{}, err
	}
	defer content.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, &cancellable{ctx, content}); err != nil {
		return video{}, fmt.Errorf("hash the result: %w", err)
	}
	made.sha256 = hex.EncodeToString(hash.Sum(nil))
	return made, nil
}

// open returns a reader of a video's bytes.
func (s *Server) open(v video) (io.ReadSeekCloser, error) {
	var sections sections
	end := int64(0)
	add := func(at io.ReaderAt, size int64) {
		end += size
		sections.parts = append(sections.parts, section{at: at, start: end - size, end: end})
	}
	if v.file != "" {
		file, err := s.files.Open(v.file)
		if err != nil {
			return nil, err
		}
		sections.file = file
		add(file, v.size-v.noise.size-int64(len(v.tail)))
	} else {
		add(bytes.NewReader(v.stock), int64(len(v.stock)))
	}
	if v.noise.size > 0 {
		add(v.noise, v.noise.size)
	}
	add(bytes.NewReader(v.tail), int64(len(v.tail)))
	return &reading{io.NewSectionReader(sections, 0, v.size), sections.file}, nil
}

const boxHeader = 8

// box encodes an ISO base media box.
func box(kind string, content []byte) []byte {
	made := binary.BigEndian.AppendUint32(nil, uint32(boxHeader+len(content)))
	return append(append(made, kind...), content...)
}

type section struct {
	at         io.ReaderAt
	start, end int64
}

// sections is the concatenation of its parts.
type sections struct {
	parts []section
	file  *os.File
}

func (s sections) ReadAt(p []byte, offset int64) (int, error) {
	first := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].end > offset })
	total := 0
	for _, part := range s.parts[first:] {
		want := min(int64(len(p)-total), part.end-offset)
		n, err := part.at.ReadAt(p[total:total+int(want)], offset-part.start)
		total += n
		offset += int64(n)
		if int64(n) < want {
			return total, errors.Join(err, io.ErrUnexpectedEOF)
		}
		if total == len(p) {
			return total, nil
		}
	}
	return total, io.EOF
}

type reading struct {
	*io.SectionReader
	file *os.File
}

func (r *reading) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// cancellable fails a read after the end of its context.
type cancellable struct {
	ctx    context.Context
	reader io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.reader.Read(p)
}
