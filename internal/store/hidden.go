package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// abandonedAfter is when a hidden file that nobody has written to since belongs
// to a process that was killed. No copy pauses for a day.
const abandonedAfter = 24 * time.Hour

var hiddenFile = regexp.MustCompile(`^\.lumaflow-[A-Z2-7]{26}\.tmp$`)

// writeHidden writes a hidden file, hands it to publish when it is on disk to
// stay, and removes it if that fails.
func writeHidden(root *os.Root, write func(io.Writer) error, publish func(hidden string) error) error {
	name := ".lumaflow-" + rand.Text() + ".tmp"
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	makeReadable(file)
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = cmp.Or(err, file.Close()); err == nil {
		err = publish(name)
	}
	if err != nil {
		// What can't be removed now, a later Check removes.
		_ = root.Remove(name)
	}
	return err
}

// makeReadable lets others read what is published, whatever the umask. File
// systems without permissions refuse it and don't need it.
func makeReadable(file *os.File) { _ = file.Chmod(0o644) }

func text[T string | []byte](content T) func(io.Writer) error {
	return func(to io.Writer) error {
		_, err := to.Write([]byte(content))
		return err
	}
}

// rename gives a hidden file its final name, to stay.
func rename(root *os.Root, hidden, name string) error {
	if err := root.Rename(hidden, name); err != nil {
		return err
	}
	return syncFolder(root)
}

// syncFolder makes the names in a folder durable. File systems that can't do
// that on request say so; there is nothing more to be had from them.
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

// removeAbandoned removes the hidden files of processes that were killed. It is
// no failure of the store if one can't be removed.
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

// contextReader ends a copy when its context does.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
