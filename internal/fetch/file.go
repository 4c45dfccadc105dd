package fetch

import "cmp"

// File is a verified file in the work directory, on disk to stay (fsync). It
// holds a lock until Discard or Close, so that no other attempt touches it;
// it may be renamed away meanwhile.
type File struct {
	Path  string
	Bytes int64
	// SHA256 is in hexadecimal.
	SHA256 string
	// ETag is as the server sent it, empty if it sent none.
	ETag string
	// Host is the host of the link, with its port if it has one.
	Host  string
	Video Video

	work *partial
}

// Discard removes the work file, if it is still there, and releases the lock.
// Call it when the file has been published.
func (f *File) Discard() error {
	if f.work == nil {
		return nil
	}
	err := f.work.remove()
	return cmp.Or(err, f.Close())
}

// Close releases the lock and leaves the file to a later attempt. It does
// nothing after Discard.
func (f *File) Close() error {
	if f.work == nil {
		return nil
	}
	work := f.work
	f.work = nil
	return work.close()
}
