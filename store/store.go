// Package store is where finished videos live, each with its receipt. What has
// its final name there is complete and on disk to stay; everything else hides.
package store

import "context"

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

	// Matches reads a stored video again and reports whether it is still the
	// one described. A missing video is no error.
	Matches(ctx context.Context, name string, bytes int64, sha256 string) (location string, ok bool, err error)

	// PutReceipt stores a receipt in place of any earlier one of that name.
	PutReceipt(ctx context.Context, name string, receipt Receipt) (location string, err error)

	// Receipt reads a receipt. If there is none, the error is fs.ErrNotExist.
	Receipt(ctx context.Context, name string) (Receipt, error)
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
