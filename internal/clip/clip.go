// Package clip uploads a video file of this machine, so that kie.ai can fetch it.
// It checks the file first, so that no task is paid for a video that kie.ai rejects,
// and identifies it by the hash of its content.
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
	"lumaflow/internal/kie"
	"lumaflow/internal/media"
	"lumaflow/internal/oneline"
)

// maxTolerance bounds the tolerance of slide shows, whose frames last seconds.
const maxTolerance = 250 * time.Millisecond

// Clip is an open video file that has passed the checks of Open. The content is
// streamed from the disk by every upload and not kept in memory.
type Clip struct {
	file   *os.File
	path   string
	size   int64
	sha256 string
	// extension belongs to the content, not to the name of the file.
	extension string
	model     kie.Model
}

// Open is OpenFor for Luma Modify.
func Open(ctx context.Context, path string) (*Clip, error) { return OpenFor(ctx, path, "") }

// OpenFor checks a file against the limits of a model (see kie.ClipLimits): for Luma
// Modify a video in an MP4, MOV or AVI of at most 500 MB and, if its
// duration is known, ten seconds and two frames, since a cut to ten seconds includes
// the frame at its end. It reads the file once, for its hash. The error for an unsuitable file is a usage error of one line that names it.
func OpenFor(ctx context.Context, path, model string) (*Clip, error) {
	row, _ := kie.ModelOf(model)
	if err := checkFile(path, row); err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	clip := &Clip{file: file, path: path, model: row}
	if err := clip.check(ctx); err != nil {
		_ = file.Close()
		return nil, err
	}
	return clip, nil
}

// check hashes and inspects the open file. The hash comes first: an upload must
// match it, so a file that changes after the hash is either rejected here or fails
// to upload.
func (c *Clip) check(ctx context.Context) error {
	info, err := c.file.Stat()
	if err != nil {
		return unreadable(c.path, err)
	}
	c.size = info.Size()
	hash := sha256.New()
	if _, err := io.Copy(hash, &contextReader{ctx, c.content()}); err != nil {
		return fmt.Errorf("read %s: %w", c, err)
	}
	c.sha256 = hex.EncodeToString(hash.Sum(nil))
	return c.inspect()
}

// SHA256 is the hash of the content in lower-case hexadecimal.
func (c *Clip) SHA256() string { return c.sha256 }

// Bytes is the size of the content.
func (c *Clip) Bytes() int64 { return c.size }

// String is the path as the user gave it, in one line.
func (c *Clip) String() string { return oneline.Clean(c.path) }

// Close closes the file.
func (c *Clip) Close() error { return c.file.Close() }

// checkFile checks a file before it is opened, because opening a named pipe blocks
// until a process writes to it.
func checkFile(path string, model kie.Model) error {
	maxBytes := model.Clip.MaxBytes
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
		return command.Usagef("%s is not a regular file: save the video to one first", name)
	case info.Size() == 0:
		return command.Usagef("%s is empty", name)
	case maxBytes > 0 && info.Size() > maxBytes:
		return command.Usagef("%s has %s and model %s takes at most %s: make it smaller", name, humanize.Bytes(uint64(info.Size())), model.Name, humanize.Bytes(uint64(maxBytes)))
	default:
		return nil
	}
}

func unreadable(path string, err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		// The text of a PathError includes the path.
		err = failed.Err
	}
	return command.Usagef("%s can't be read: %w", oneline.Clean(path), err)
}

// inspect checks the content and sets its extension. Its errors are usage errors
// unless the file can't be read.
func (c *Clip) inspect() error {
	video, err := media.Inspect(c.file, c.size)
	if failed, ok := errors.AsType[*media.Error](err); ok {
		longest := c.model.Clip.MaxTime
		switch {
		case failed.Problem == media.NoPicture:
			return command.Usagef("%s has no picture, and kie.ai modifies videos: %w", c, err)
		case failed.Problem == media.NotVideo && c.isMatroska():
			return command.Usagef("%s is a Matroska file (mkv or webm), which lumaflow can't check before the task is paid: convert it: %s", c, c.ffmpeg("-c copy", "-copy.mp4"))
		case failed.Problem == media.Excessive && longest > 0:
			return command.Usagef("%s can't be checked: %w: if it lasts more than %v, cut it first: %s", c, err, longest, c.ffmpeg(c.cut(), "-cut.mp4"))
		case failed.Problem == media.Excessive:
			return command.Usagef("%s can't be checked: %w: upload a copy of it: %s", c, err, c.ffmpeg("-c copy", "-copy.mp4"))
		case failed.Problem == media.Unfinished:
			return command.Usagef("%s is not a complete MP4, MOV or AVI: %w; if it plays to its end, upload a copy of it: %s", c, err, c.ffmpeg("-c copy", "-copy.mp4"))
		default:
			return command.Usagef("%s is not a complete MP4, MOV or AVI: %w", c, err)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	// The rounding of a time scale may add to the duration.
	duration := video.Duration.Truncate(time.Millisecond)
	if longest := c.model.Clip.MaxTime; longest > 0 && duration > longest+min(2*video.Frame, maxTolerance) {
		return command.Usagef("%s lasts %v and model %s takes at most %v: cut it first: %s", c, duration, c.model.Name, longest, c.ffmpeg(c.cut(), "-cut"+video.Extension))
	}
	if err := c.checkLimits(video, duration); err != nil {
		return err
	}
	c.extension = video.Extension
	return nil
}

// ffmpeg is the command line that converts the file to another one beside it.
func (c *Clip) ffmpeg(options, suffix string) string {
	path := c.String()
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
	return "ffmpeg -i " + quote(path) + " " + options + " " + quote(strings.TrimSuffix(path, filepath.Ext(path))+suffix)
}

// content reads the file from its beginning, up to the size that it had when it
// was opened.
func (c *Clip) content() io.Reader { return io.NewSectionReader(c.file, 0, c.size) }

// name is the name of the upload: that of the file, with the extension of its
// content.
func (c *Clip) name() string {
	base := filepath.Base(c.path)
	return strings.TrimSuffix(base, filepath.Ext(base)) + c.extension
}

// contextReader fails when its context has ended.
type contextReader struct {
	ctx    context.Context
	reader io.Reader
}

func (r *contextReader) Read(into []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.reader.Read(into)
}
