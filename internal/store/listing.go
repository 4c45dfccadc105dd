package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
)

// List yields a folder once, as "name/", without its content. It skips every name
// that begins with a dot: unfinished files of the store, and hidden files of other
// programs. It holds all names in memory.
func (d *directory) List(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if err := d.list(ctx, func(entry Entry) bool { return yield(entry, nil) }); err != nil {
			yield(Entry{}, fmt.Errorf("list %s: %w", d.path, err))
		}
	}
}

// list returns nil if yield returns false.
func (d *directory) list(ctx context.Context, yield func(Entry) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return withoutPath(err)
	}
	defer root.Close()
	names, err := visibleNames(root)
	if err != nil {
		return withoutPath(err)
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		entry := Entry{Name: name}
		if !strings.HasSuffix(name, "/") {
			info, err := root.Lstat(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if info.Mode().IsRegular() {
				entry.Bytes, entry.Modified = info.Size(), info.ModTime().UTC()
			}
		}
		if !yield(entry) {
			return nil
		}
	}
	return nil
}

// visibleNames returns names in byte order, those of folders with a slash, which
// counts in the order.
func visibleNames(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case entry.IsDir():
			names = append(names, name+"/")
		default:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open returns a reader with the modification time of the file.
func (d *directory) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	var opened datedFile
	err := d.within(ctx, name, func(root *os.Root) error {
		file, err := openRegular(root, name)
		if err != nil {
			return err
		}
		info, err := file.Stat()
		if err != nil {
			_ = file.Close()
			return err
		}
		opened = datedFile{file, info.ModTime()}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open %.80q in %s: %w", name, d.path, err)
	}
	return opened, nil
}

type datedFile struct {
	*os.File
	modified time.Time
}

func (f datedFile) ModTime() time.Time { return f.modified }

// withoutPath strips operation and path from an error, for messages that name the
// path themselves.
func withoutPath(err error) error {
	if detailed, ok := errors.AsType[*fs.PathError](err); ok {
		return detailed.Err
	}
	return err
}
