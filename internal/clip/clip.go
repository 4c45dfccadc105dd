// Package clip takes a video on this machine to where kie.ai can fetch it: it
// checks the file, so that nothing doomed is paid for, knows it by its content,
// and uploads it. It knows no Temporal.
package clip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
)

// What Luma takes. (luma-api/generate-luma-modify-video)
const (
	// MaxBytes is 500 MB as storage is sold: 1 MB is 1,000,000 bytes.
	MaxBytes    = 500_000_000
	MaxDuration = 10 * time.Second
)

// Clip is a video file that has been checked and is open. It is read again when
// it is uploaded, so it takes no memory to speak of.
type Clip struct {
	file   *os.File
	path   string
	size   int64
	sha256 string
	// extension goes with the content, whatever the file's own is.
	extension string
}

// Open checks a file: a whole MP4, MOV or AVI of at most MaxBytes and, as far as
// it tells its duration, MaxDuration. It reads the file once, for its hash.
// What is wrong with the file is a usage error in one line that names it.
func Open(ctx context.Context, path string) (_ *Clip, err error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, unreadable(path, err)
	}
	clip := &Clip{file: file, path: path, size: info.Size()}
	// In this order: what is uploaded has this hash, so it is what was inspected,
	// whenever the file changes.
	if clip.sha256, err = clip.hash(ctx); err != nil {
		return nil, fmt.Errorf("%s was not read to its end: %w", clip, err)
	}
	if clip.extension, err = inspect(file, info.Size()); err != nil {
		return nil, clip.rejected(err)
	}
	return clip, nil
}

// SHA256 is the hash of the content, in lower-case hexadecimal.
func (c *Clip) SHA256() string { return c.sha256 }

// String is the file as the user named it, fit for one line.
func (c *Clip) String() string { return oneline.Clean(c.path) }

// Close closes the file.
func (c *Clip) Close() error { return c.file.Close() }

// checkFile looks at a file before it is opened: to open a named pipe waits for
// somebody to write.
func checkFile(path string) error {
	info, err := os.Stat(path)
	name := oneline.Clean(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return command.Usagef("there is no file %s (an address begins with http:// or https://)", name)
	case err != nil:
		return unreadable(path, err)
	case info.IsDir():
		return command.Usagef("%s is a folder: name one video file", name)
	case !info.Mode().IsRegular():
		return command.Usagef("%s is no regular file: save the video to one first", name)
	case info.Size() == 0:
		return command.Usagef("%s is empty", name)
	case info.Size() > MaxBytes:
		return command.Usagef("%s has %s and kie.ai takes at most %s: make it smaller", name, humanize.Bytes(uint64(info.Size())), humanize.Bytes(MaxBytes))
	default:
		return nil
	}
}

func unreadable(path string, err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		// It repeats the path.
		err = failed.Err
	}
	return command.Usagef("%s can't be read: %w", oneline.Clean(path), err)
}

// rejected tells what is wrong with the file from a disk that can't read it.
func (c *Clip) rejected(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return fmt.Errorf("read %s: %w", c, err)
	}
	return command.Usagef("%s %w", c, err)
}

func (c *Clip) hash(ctx context.Context) (string, error) {
	hash := sha256.New()
	if _, err := io.Copy(hash, &interruptible{ctx, c.content()}); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// content reads the file from its beginning. What was added to it since it was
// opened is not part of it.
func (c *Clip) content() io.Reader { return io.NewSectionReader(c.file, 0, c.size) }

// name is what the upload is called: the file's own name, with the extension
// that goes with its content.
func (c *Clip) name() string {
	base := filepath.Base(c.path)
	return strings.TrimSuffix(base, filepath.Ext(base)) + c.extension
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx  context.Context
	from io.Reader
}

func (r *interruptible) Read(into []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.from.Read(into)
}
