package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// abandonedAfter is the time without a write after which a hidden file counts as
// left by a killed process. No copy pauses for a day.
const abandonedAfter = 24 * time.Hour

var hiddenFile = regexp.MustCompile(`^\.lumaflow-[A-Z2-7]{26}\.tmp$`)

// writeHidden writes and syncs a hidden file and calls publish with it. If any step
// fails, it removes the file.
func writeHidden(root *os.Root, content io.Reader, publish func(hidden hidden) error) error {
	name := ".lumaflow-" + rand.Text() + ".tmp"
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	makeReadable(file)
	_, err = io.Copy(file, content)
	if err == nil {
		err = file.Sync()
	}
	info, statErr := file.Stat()
	if err = cmp.Or(err, statErr, file.Close()); err == nil {
		err = publish(hidden{name, info})
	}
	if err != nil {
		// If this fails too, a later Check removes the file.
		_ = root.Remove(name)
	}
	return err
}

// makeReadable makes a published file readable for all users, independent of the
// umask. It fails on file systems without permissions, where it is not needed.
func makeReadable(file *os.File) { _ = file.Chmod(0o644) }

// hidden is a complete file before its publication.
type hidden struct {
	name string
	info fs.FileInfo
}

// rename gives a hidden file its final name durably.
func rename(root *os.Root, from hidden, name string) error {
	if err := root.Rename(from.name, name); err != nil {
		return err
	}
	return syncName(root, name, from.info)
}

// syncName makes the new name of a file durable. If that fails, it removes the name:
// a later fsync of the folder may succeed without writing it, so another attempt must
// publish a file of its own. A file that another attempt has put there stays.
func syncName(root *os.Root, name string, own fs.FileInfo) error {
	err := syncFolder(root)
	if err == nil {
		return nil
	}
	if found, missing := root.Lstat(name); missing == nil && os.SameFile(own, found) {
		return removed(err, root.Remove(name))
	}
	return err
}

// removed adds the failed removal of a file, if any, to the failure that caused it.
func removed(failure, removal error) error {
	if removal != nil {
		return fmt.Errorf("%w; the file can't be removed: %w", failure, removal)
	}
	return failure
}

// syncFolder makes the names in a folder durable, on file systems that support it.
func syncFolder(root *os.Root) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return cmp.Or(err, folder.Close())
}

// removeAbandoned removes hidden files without a write since before. Failures are
// ignored: they do not affect the store.
func removeAbandoned(root *os.Root, before time.Time) {
	entries, _ := fs.ReadDir(root.FS(), ".")
	for _, entry := range entries {
		if !hiddenFile.MatchString(entry.Name()) || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && info.ModTime().Before(before) {
			_ = root.Remove(entry.Name())
		}
	}
}

// ContextReader reads From and fails once Context has ended.
type ContextReader struct {
	Context context.Context
	From    io.Reader
}

func (r ContextReader) Read(p []byte) (int, error) {
	if err := r.Context.Err(); err != nil {
		return 0, err
	}
	return r.From.Read(p)
}
