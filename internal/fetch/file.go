package fetch

import (
	"cmp"

	"lumaflow/internal/media"
)

// File is a verified file in the work directory, durable on disk (fsync). It holds
// a lock until Discard or Close, so that no other attempt writes to it. It may be
// renamed while the lock is held.
type File struct {
	Path  string
	Bytes int64
	// SHA256 is the hash of the content in lower-case hexadecimal.
	SHA256 string
	// ETag is the one that the server sent, empty if it sent none.
	ETag string
	// Host is the host of the link, with its port if it has one.
	Host  string
	Video media.Video

	work *partial
}

// Discard removes the work file, unless it has been renamed, and releases the
// lock. Call it when the file has been published.
func (f *File) Discard() error {
	if f.work == nil {
		return nil
	}
	err := f.work.remove()
	return cmp.Or(err, f.Close())
}

// Close releases the lock and leaves the file for a later attempt with the same
// key. It does nothing after Discard.
func (f *File) Close() error {
	if f.work == nil {
		return nil
	}
	work := f.work
	f.work = nil
	return work.close()
}
