package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
)

const (
	checkpointVersion = 1
	maxCheckpoint     = 4 << 10
)

// checkpoint is what a later attempt needs to go on: which bytes these are, and
// how many of them were right. The hash makes it safe without any fsync: after
// a power failure, on a network file system or with bytes of another version
// in the file, the prefix does not match and the download starts over. Bytes
// beyond the prefix are not trusted.
type checkpoint struct {
	Version int    `json:"version"`
	ETag    string `json:"etag"`
	Length  int64  `json:"length"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// save replaces the checkpoint. A process that is killed meanwhile leaves the
// old one or the new one. Without a strong ETag there is nothing to go on with
// later, so there is no checkpoint.
func (p *partial) save() error {
	p.saved = p.size
	if p.state == "" {
		return nil
	}
	if p.etag == "" {
		return removeIfExists(p.dir, p.state)
	}
	text, err := json.Marshal(checkpoint{
		Version: checkpointVersion,
		ETag:    p.etag,
		Length:  p.length,
		Bytes:   p.size,
		SHA256:  p.sum(),
	})
	if err != nil {
		return err
	}
	// The lock on the bytes makes this the only writer.
	fresh := p.state + ".new"
	if err := p.dir.WriteFile(fresh, text, 0o600); err != nil {
		return err
	}
	return p.dir.Rename(fresh, p.state)
}

// restore takes over what an earlier attempt left, if it is proven to be what
// that attempt wrote. Otherwise the file counts as empty.
func (p *partial) restore(ctx context.Context, progress func(done, total int64)) error {
	left, ok, err := p.load()
	if err != nil || !ok {
		return err
	}
	p.etag, p.length = left.ETag, left.Length
	if err := p.rewind(ctx, left.Bytes, progress); err != nil {
		return err
	}
	if p.sum() != left.SHA256 {
		return p.restart("", -1)
	}
	p.saved = p.size
	return nil
}

// load reads the checkpoint. One that is missing, malformed or of more bytes
// than there are is no error: the download just starts over.
func (p *partial) load() (left checkpoint, ok bool, err error) {
	if p.state == "" {
		return checkpoint{}, false, nil
	}
	file, err := p.dir.OpenFile(p.state, os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return checkpoint{}, false, nil
	}
	if err != nil {
		return checkpoint{}, false, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxCheckpoint))
	if err != nil {
		return checkpoint{}, false, err
	}
	bytes, err := p.file.Stat()
	if err != nil {
		return checkpoint{}, false, err
	}
	if json.Unmarshal(text, &left) != nil || left.Version != checkpointVersion {
		return checkpoint{}, false, nil
	}
	_, strong := entityTag(left.ETag)
	ok = strong && left.Bytes > 0 && left.Bytes <= bytes.Size() && (left.Length < 0 || left.Bytes <= left.Length)
	return left, ok, nil
}
