// Package store is where finished videos live, each with its receipt. What has
// its final name there is complete and on disk to stay; everything else hides.
package store

import (
	"context"
	"errors"
	"io"
	"iter"
)

// ErrNotRegular says that a name is not a file's: a link, a folder or a device
// is there. None of them is followed or read.
var ErrNotRegular = errors.New("a link, folder or device is there instead of a file")

// Store keeps videos and receipts under plain file names, such as VideoName
// and ReceiptName make. Other names are refused. A Store is safe for
// concurrent use, also by several processes.
type Store interface {
	// Check proves that the store can be written and read, by doing both. Its
	// error says what to do.
	Check(ctx context.Context) error

	// PutVideo publishes a file and returns its location as a URL. A video of
	// the same name is success if its bytes are the same, and is replaced at
	// one blow if they are not. The source may be moved away.
	PutVideo(ctx context.Context, name string, source Source) (location string, err error)

	// Matches reports whether a stored video is still the one described. A
	// folder reads it again; a bucket goes by the size and the SHA-256 that it
	// keeps with the bytes, and reads them if it keeps none. A missing video is
	// no error.
	Matches(ctx context.Context, name string, bytes int64, sha256 string) (location string, ok bool, err error)

	// PutReceipt stores a receipt in place of any earlier one of that name.
	PutReceipt(ctx context.Context, name string, receipt Receipt) (location string, err error)

	// Receipt reads a receipt. If there is none, the error is fs.ErrNotExist.
	Receipt(ctx context.Context, name string) (Receipt, error)

	// List yields all that is there, in the byte order of the names: videos,
	// receipts and what else has come in. What hides, such as files that are
	// still being written, it leaves out. A folder in it is an Entry whose name
	// has a slash; a store may list its content instead. An error is the last
	// that is yielded.
	List(ctx context.Context) iter.Seq2[Entry, error]

	// Open reads one file. If there is none, the error is fs.ErrNotExist. A
	// reader that knows when the file came to be tells it by a method
	// ModTime() time.Time.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Entry is one stored file, whatever its name.
type Entry struct {
	Name string
	// Bytes is the size of a file, and 0 for anything else.
	Bytes int64
}

// Source is a local file to be published. Nobody may write to it any more.
type Source struct {
	Path  string
	Bytes int64
	// SHA256 is in lower-case hexadecimal.
	SHA256 string
	// ContentType is for stores that keep one with the bytes.
	ContentType string
}
