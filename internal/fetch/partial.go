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
	"syscall"

	"lumaflow/internal/pagecache"
)

const (
	checkpointEvery = 1 << 20 // bytes
	bufferSize      = 256 << 10
)

// partial is a file during its download: the bytes on disk and the hash of the
// verified ones. Its lock excludes other attempts.
type partial struct {
	dir  *os.Root
	file *os.File
	// name is the file in dir, state its checkpoint. A private file, which no
	// attempt resumes, has none, and state is empty.
	name, state string

	// etag is the strong ETag of the bytes, empty if they have none.
	etag string
	// length is that of the complete file, -1 while it is unknown.
	length int64
	// size counts the verified bytes, digest is their hash.
	size   int64
	digest hash.Hash
	// saved is the size in the checkpoint on disk.
	saved int64
}

// openPartial opens and locks the file of a key, or a private file while another
// attempt holds the lock.
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
		_ = root.Close()
		return nil, err
	}
	return p, nil
}

// complete reports whether all bytes are present.
func (p *partial) complete() bool { return p.length >= 0 && p.size == p.length }

// sum is the SHA-256 of the bytes so far, in hexadecimal.
func (p *partial) sum() string { return hex.EncodeToString(p.digest.Sum(nil)) }

// restart empties the file for bytes of a new identity.
func (p *partial) restart(etag string, length int64) error {
	p.etag, p.length, p.size = etag, length, 0
	p.digest.Reset()
	return cmp.Or(p.file.Truncate(0), p.save())
}

// append adds bytes at the end, and saves a checkpoint after each checkpointEvery
// bytes.
func (p *partial) append(bytes []byte) error {
	if _, err := p.file.WriteAt(bytes, p.size); err != nil {
		if errors.Is(err, syscall.EIO) {
			// A network file system may report so that it lost earlier bytes.
			return p.distrust(err)
		}
		return err
	}
	p.digest.Write(bytes)
	p.size += int64(len(bytes))
	if p.size-p.saved >= checkpointEvery {
		return p.save()
	}
	return nil
}

// rewind truncates the file to size bytes and hashes them again. They are read from
// the disk: the page cache may hold bytes that an earlier attempt failed to write.
func (p *partial) rewind(ctx context.Context, size int64, progress func(done, total int64)) error {
	if err := p.file.Truncate(size); err != nil {
		return err
	}
	pagecache.Drop(p.file)
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
		return p.distrust(err)
	}
	return p.save()
}

// distrust removes the file and its checkpoint after a failed write to the disk, and
// returns the failure. The kernel may report the failure once and keep the lost bytes
// in the page cache, so a later fsync of the same file proves nothing. The next
// attempt begins a new file.
func (p *partial) distrust(failure error) error {
	// Without its bytes a checkpoint is void, also if it can't be removed.
	err := p.file.Truncate(0)
	if err = cmp.Or(p.remove(), err); err != nil {
		return fmt.Errorf("%w; the file can't be removed: %w", failure, err)
	}
	return failure
}

// close releases the lock. It removes a private file, and a checkpoint whose file a
// store has moved or removed.
func (p *partial) close() error {
	var err error
	if p.state == "" {
		err = p.remove()
	} else if _, missing := p.dir.Lstat(p.name); errors.Is(missing, fs.ErrNotExist) {
		err = removeIfExists(p.dir, p.state)
	}
	unlock(p.file)
	return cmp.Or(err, p.file.Close(), p.dir.Close())
}

// remove deletes the file and its checkpoint, unless the file has been renamed and
// another attempt has begun a new one under its name.
func (p *partial) remove() error {
	own, err := p.file.Stat()
	if err != nil {
		return err
	}
	found, err := p.dir.Lstat(p.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !os.SameFile(own, found):
		return nil
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
