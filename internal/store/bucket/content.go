package bucket

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // Clouds compare uploads with their MD5; SHA-256 identifies the content.
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"lumaflow/internal/stall"
	"lumaflow/internal/store"
)

// content is the intended content of an object.
type content struct {
	from  io.ReaderAt
	bytes int64
	// sha256 and md5 are in hexadecimal.
	sha256, md5 string
	contentType string
}

func contentOf(text []byte, contentType string) *content {
	sha, md := sha256.Sum256(text), md5.Sum(text) //nolint:gosec // See the import.
	return &content{
		from:        bytes.NewReader(text),
		bytes:       int64(len(text)),
		sha256:      hex.EncodeToString(sha[:]),
		md5:         hex.EncodeToString(md[:]),
		contentType: contentType,
	}
}

// contentIn reads a file once for its checksums and fails if its SHA-256 has
// changed.
func contentIn(ctx context.Context, file *os.File, source store.Source) (*content, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() != source.Bytes {
		return nil, fmt.Errorf("the source has changed: it has %d bytes instead of %d", info.Size(), source.Bytes)
	}
	c := &content{from: file, bytes: source.Bytes, sha256: source.SHA256, contentType: cmp.Or(source.ContentType, "application/octet-stream")}
	sha, md := sha256.New(), md5.New() //nolint:gosec // See the import.
	if _, err := io.Copy(io.MultiWriter(sha, md), store.ContextReader{Context: ctx, From: c.reader()}); err != nil {
		return nil, err
	}
	if hex.EncodeToString(sha.Sum(nil)) != source.SHA256 {
		return nil, errors.New("the source has changed: its SHA-256 differs")
	}
	c.md5 = hex.EncodeToString(md.Sum(nil))
	return c, nil
}

// reader reads the content from its beginning.
func (c *content) reader() io.ReadSeeker { return io.NewSectionReader(c.from, 0, c.bytes) }

// raw decodes a checksum.
func raw(sum string) []byte {
	bytes, _ := hex.DecodeString(sum)
	return bytes
}

// watchedReader reports each read of an upload to a watchdog.
type watchedReader struct {
	io.ReadSeeker
	watchdog *stall.Watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	r.watchdog.Progress()
	return r.ReadSeeker.Read(p)
}
