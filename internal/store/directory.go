package store

import (
	"bytes"
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
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lumaflow/internal/pagecache"
)

// directory is a Store in a local or mounted folder. Links that lead out of the
// folder are not followed.
type directory struct{ path string }

// within runs one operation on name in the folder. It does not create a missing
// folder: a lost mount is a possible cause, and the disk below the mount point is
// the wrong place.
func (d *directory) within(ctx context.Context, name string, operate func(*os.Root) error) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		// %v hides fs.ErrNotExist: the folder is missing, not the file.
		return fmt.Errorf("the folder can't be opened: %v", err)
	}
	defer root.Close()
	return operate(root)
}

// Folder is the local path of the files. Stores without a local path lack this
// method.
func (d *directory) Folder() string { return d.path }

func (d *directory) location(name string) string { return fileURL(filepath.Join(d.path, name)) }

// Check writes, syncs, reads and removes a hidden file, and removes abandoned
// hidden files.
func (d *directory) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return unusable(d.path, err)
	}
	defer root.Close()
	const content = "lumaflow checks that it can write and read here\n"
	if err := writeHidden(root, strings.NewReader(content), func(written hidden) error {
		read, err := root.ReadFile(written.name)
		if err == nil && string(read) != content {
			err = errors.New("the content read differs from the content written")
		}
		return cmp.Or(err, root.Remove(written.name))
	}); err != nil {
		return unusable(d.path, err)
	}
	removeAbandoned(root, time.Now().Add(-abandonedAfter))
	return nil
}

func unusable(path string, err error) error {
	return fmt.Errorf("OUTPUT_URL: the folder %s can't be written and read (%w): make room, give this user access to it, or name another folder", path, withoutPath(err))
}

// PutVideo renames the source on the same file system and copies it to another.
// Only the copy verifies the source's SHA-256. A file that has the name already is
// replaced, also by the same bytes: it may be that of an attempt whose fsync failed,
// and then its bytes may be in the page cache alone. The file that a failed fsync
// concerns is removed: the source, the copy or, for the folder, the published file.
func (d *directory) PutVideo(ctx context.Context, name string, source Source) (string, error) {
	err := d.within(ctx, name, func(root *os.Root) error {
		err := d.publish(ctx, root, name, source)
		if errors.Is(err, fs.ErrNotExist) {
			// An attempt with the same source may have moved it.
			if stored, _ := matches(ctx, root, name, source.Bytes, source.SHA256); stored {
				return nil
			}
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("store %.80q in %s: %w", name, d.path, err)
	}
	return d.location(name), nil
}

func (d *directory) publish(ctx context.Context, root *os.Root, name string, source Source) error {
	file, err := os.OpenFile(source.Path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() != source.Bytes {
		return fmt.Errorf("the source has changed: it has %d bytes instead of %d", info.Size(), source.Bytes)
	}
	makeReadable(file)
	// The modification time becomes the time of publication. Only the audit's
	// grace period for videos without a receipt depends on it.
	_ = os.Chtimes(source.Path, time.Time{}, time.Now())
	if err := file.Sync(); err != nil {
		return removed(err, os.Remove(source.Path))
	}
	switch err := os.Rename(source.Path, filepath.Join(d.path, name)); {
	case err == nil:
		return syncName(root, name, info)
	case diskFailure(err):
		return err
	}
	// The usual failure is another file system. For any other failure the copy
	// either works or returns the more precise error.
	digest := sha256.New()
	return writeHidden(root, io.TeeReader(ContextReader{ctx, file}, digest), func(copied hidden) error {
		if !sameSum(digest, source.SHA256) {
			return errors.New("the source has changed: its SHA-256 differs")
		}
		return rename(root, copied, name)
	})
}

// diskFailure reports whether an error is one of a disk that is full, read-only or
// broken.
func diskFailure(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// Matches reads the whole video from the disk if its size matches. A video that
// can't be made durable does not match.
func (d *directory) Matches(ctx context.Context, name string, bytes int64, sha256 string) (string, bool, error) {
	var same bool
	err := d.within(ctx, name, func(root *os.Root) (err error) {
		same, err = matches(ctx, root, name, bytes, sha256)
		return err
	})
	switch {
	case err != nil:
		return "", false, fmt.Errorf("re-read %.80q in %s: %w", name, d.path, err)
	case !same:
		return "", false, nil
	}
	return d.location(name), true, nil
}

func matches(ctx context.Context, root *os.Root, name string, bytes int64, sum string) (bool, error) {
	file, err := openRegular(root, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotRegular) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() != bytes {
		return false, err
	}
	// The attempt that published the video may have been killed before the fsync of the
	// folder, or after one that failed.
	if file.Sync() != nil || syncFolder(root) != nil {
		return false, nil
	}
	pagecache.Drop(file)
	digest := sha256.New()
	if _, err := io.Copy(digest, ContextReader{ctx, file}); err != nil {
		return false, err
	}
	return sameSum(digest, sum), nil
}

func sameSum(digest hash.Hash, sum string) bool {
	return strings.EqualFold(hex.EncodeToString(digest.Sum(nil)), sum)
}

// openRegular opens only regular files: a named pipe would block, a link would
// lead elsewhere.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	return root.Open(name)
}

// PutReceipt writes a hidden file and renames it. If the fsync of the folder fails, it
// removes the receipt.
func (d *directory) PutReceipt(ctx context.Context, name string, receipt Receipt) (string, error) {
	err := d.within(ctx, name, func(root *os.Root) error {
		encoded, err := receipt.Encode()
		if err != nil {
			return err
		}
		return writeHidden(root, bytes.NewReader(encoded), func(written hidden) error {
			return rename(root, written, name)
		})
	})
	if err != nil {
		return "", fmt.Errorf("store receipt %.80q in %s: %w", name, d.path, err)
	}
	return d.location(name), nil
}

// Receipt reads at most 1 MiB.
func (d *directory) Receipt(ctx context.Context, name string) (Receipt, error) {
	var receipt Receipt
	err := d.within(ctx, name, func(root *os.Root) error {
		file, err := openRegular(root, name)
		if err != nil {
			return err
		}
		defer file.Close()
		receipt, err = DecodeReceipt(file)
		return err
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("read receipt %.80q in %s: %w", name, d.path, err)
	}
	return receipt, nil
}
