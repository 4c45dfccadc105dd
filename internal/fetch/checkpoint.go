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

// checkpoint is the state that a later attempt resumes from: the identity of the
// bytes and the number of them that are verified. The hash makes it safe without
// any fsync: after a power failure, a failed write, on a network file system or with
// bytes of another version in the file, the prefix does not match and the download
// restarts. Bytes beyond the prefix are not trusted.
type checkpoint struct {
	Version int    `json:"version"`
	ETag    string `json:"etag"`
	Length  int64  `json:"length"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// save replaces the checkpoint by a rename. A process that is killed during save
// leaves the old one or the new one. Without a strong ETag a later attempt could
// not prove that the file is the same, so there is no checkpoint.
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
	err = p.dir.WriteFile(fresh, text, 0o600)
	if err == nil {
		err = p.dir.Rename(fresh, p.state)
	}
	if err != nil {
		// If this fails too, the next checkpoint replaces it.
		_ = p.dir.Remove(fresh)
	}
	return err
}

// restore resumes from the checkpoint of an earlier attempt if the bytes on disk
// have its hash. Otherwise the file counts as empty.
func (p *partial) restore(ctx context.Context, progress func(done, total int64)) error {
	saved, ok, err := p.load()
	if err != nil || !ok {
		return err
	}
	p.etag, p.length = saved.ETag, saved.Length
	if err := p.rewind(ctx, saved.Bytes, progress); err != nil {
		return err
	}
	if p.sum() != saved.SHA256 {
		return p.restart("", -1)
	}
	p.saved = p.size
	return nil
}

// load reads the checkpoint. A missing or malformed one, or one of more bytes than
// the file has, is no error: the download restarts.
func (p *partial) load() (saved checkpoint, ok bool, err error) {
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
	if json.Unmarshal(text, &saved) != nil || saved.Version != checkpointVersion {
		return checkpoint{}, false, nil
	}
	_, strong := entityTag(saved.ETag)
	ok = strong && saved.Bytes > 0 && saved.Bytes <= bytes.Size() && (saved.Length < 0 || saved.Bytes <= saved.Length)
	return saved, ok, nil
}
