// Package store keeps finished videos and their receipts, in a directory or, with
// package bucket, in a bucket. A file under its final name is complete and durable;
// unfinished files are hidden.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// ErrNotRegular means that a name belongs to a link, a folder or a device, which
// is neither followed nor read.
var ErrNotRegular = errors.New("a link, folder or device is there instead of a file")

// Store keeps videos and receipts under plain file names, such as those of
// VideoName and ReceiptName; it rejects names that fail CheckName. A Store is safe
// for concurrent use, also by several processes.
type Store interface {
	// Check writes and reads a test file. Its error names the next step.
	Check(ctx context.Context) error

	// PutVideo publishes a file and returns its location as a URL. It is
	// idempotent, also without the source if the stored video has its bytes. A
	// stored video is replaced atomically; a bucket keeps one with the same bytes.
	// PutVideo may move the source, and removes it if its bytes can't be trusted.
	PutVideo(ctx context.Context, name string, source Source) (location string, err error)

	// Matches reports whether the stored video has this size and SHA-256. A
	// directory reads the bytes; a bucket compares the size and SHA-256 that it
	// keeps with the object, and reads the bytes if it keeps none. A missing
	// video is not ok and no error.
	Matches(ctx context.Context, name string, bytes int64, sha256 string) (location string, ok bool, err error)

	// PutReceipt stores a receipt and replaces an earlier one of that name.
	PutReceipt(ctx context.Context, name string, receipt Receipt) (location string, err error)

	// Receipt reads a receipt. If there is none, the error is fs.ErrNotExist.
	Receipt(ctx context.Context, name string) (Receipt, error)

	// List yields every visible entry, foreign ones too, in byte order of the
	// names. A folder is an entry whose name has a slash; a store may list its
	// content instead. An error is the last value.
	List(ctx context.Context) iter.Seq2[Entry, error]

	// Open reads one file. If there is none, the error is fs.ErrNotExist. The
	// reader has a method ModTime() time.Time if the store keeps the time of the
	// last write.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Entry is one listed file or folder.
type Entry struct {
	Name string
	// Bytes is the size of a regular file, else 0.
	Bytes int64
	// Modified is the time of the last write in UTC; zero unless the file is regular.
	Modified time.Time
}

// Source is a local file to publish. It must not be written to any more.
type Source struct {
	Path  string
	Bytes int64
	// SHA256 is in lower-case hexadecimal.
	SHA256 string
	// ContentType goes to stores that keep one with the bytes.
	ContentType string
}
