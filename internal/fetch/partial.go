package fetch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
)

const (
	checkpointEvery = 1 << 20
	bufferSize      = 256 << 10
)

// partial is a file that is being downloaded: bytes on disk, and the hash of
// those that are known to be right. Its lock keeps other attempts out.
type partial struct {
	dir  *os.Root
	file *os.File
	// name is the file's, in dir; state is its checkpoint's, empty for a
	// private file, which nobody goes on with.
	name, state string

	// etag is the strong ETag that the bytes belong to, empty if none is known.
	etag string
	// length is that of the finished file, -1 while it is not known.
	length int64
	// size counts the bytes that are right, digest is their hash.
	size   int64
	digest hash.Hash
	// saved is the size that the checkpoint on disk tells.
	saved int64
}

// openPartial opens and locks the file of a key, or a private one if another
// attempt holds that.
func openPartial(dir, key string) (*partial, error) {
	root, err := openWorkDir(dir)
	if err != nil {
		return nil, err
	}
	base := workName(key)
	p := &partial{dir: root, name: base + bytesSuffix, state: base + stateSuffix, length: -1, digest: sha256.New()}
	if p.file, err = openLocked(root, p.name); errors.Is(err, errBusy) {
		p.name, p.state = privateName(base), ""
		p.file, err = root.OpenFile(p.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return p, nil
}

// complete reports whether all bytes are here.
func (p *partial) complete() bool { return p.length >= 0 && p.size == p.length }

// sum is the SHA-256 of the bytes so far, in hexadecimal.
func (p *partial) sum() string { return hex.EncodeToString(p.digest.Sum(nil)) }

// restart empties the file for bytes of a new identity.
func (p *partial) restart(etag string, length int64) error {
	p.etag, p.length, p.size = etag, length, 0
	p.digest.Reset()
	return cmp.Or(p.file.Truncate(0), p.save())
}

// append adds bytes at the end, and a checkpoint every now and then.
func (p *partial) append(bytes []byte) error {
	if _, err := p.file.WriteAt(bytes, p.size); err != nil {
		return err
	}
	p.digest.Write(bytes)
	p.size += int64(len(bytes))
	if p.size-p.saved >= checkpointEvery {
		return p.save()
	}
	return nil
}

// rewind drops what follows the first size bytes and hashes those again, as
// they are on disk.
func (p *partial) rewind(ctx context.Context, size int64, progress func(done, total int64)) error {
	if err := p.file.Truncate(size); err != nil {
		return err
	}
	p.digest.Reset()
	p.size = 0
	buffer := make([]byte, bufferSize)
	for p.size < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := p.file.ReadAt(buffer[:min(size-p.size, bufferSize)], p.size)
		p.digest.Write(buffer[:n])
		p.size += int64(n)
		progress(p.size, p.length)
		if n == 0 && err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("re-read %s: %w", p.name, err)
		}
	}
	return nil
}

// finish makes the file durable.
func (p *partial) finish() error {
	if err := p.file.Sync(); err != nil {
		return err
	}
	return p.save()
}

// close releases the lock. A private file goes with it.
func (p *partial) close() error {
	var err error
	if p.state == "" {
		err = p.remove()
	}
	unlock(p.file)
	return cmp.Or(err, p.file.Close(), p.dir.Close())
}

// remove deletes the file and its checkpoint, unless the file has been renamed
// away and another attempt has begun a new one under its name.
func (p *partial) remove() error {
	found, err := p.dir.Lstat(p.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		own, err := p.file.Stat()
		if err != nil {
			return err
		}
		if !os.SameFile(own, found) {
			return nil
		}
	}
	return cmp.Or(removeIfExists(p.dir, p.state), removeIfExists(p.dir, p.name))
}

func removeIfExists(dir *os.Root, name string) error {
	if name == "" {
		return nil
	}
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
