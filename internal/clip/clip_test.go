package clip_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/test/mp4test"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	const testdata = "../media/testdata/"
	link := filepath.Join(t.TempDir(), "link.mp4")
	target, err := filepath.Abs(testdata + "clip.mp4")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(target, link))
	for name, path := range map[string]string{
		"MP4":                           testdata + "clip.mp4",
		"MOV":                           testdata + "clip.mov",
		"fragmented MP4":                testdata + "fragmented.mp4",
		"AVI":                           testdata + "clip.avi",
		"through a link":                link,
		"extension of no video":         file(t, "clip.txt", lasting(time.Second)),
		"ten seconds":                   file(t, "a.mp4", lasting(10*time.Second)),
		"ten seconds with rounding":     file(t, "a.mp4", lasting(10*time.Second+900*time.Microsecond)),
		"no duration":                   file(t, "a.mp4", lasting(0)),
		"AVI of ten seconds":            file(t, "a.avi", avi(40_000, 250)),
		"AVI without a duration":        file(t, "a.avi", avi(0, 250)),
		"a name with blanks and quotes": file(t, "my \"film\" é 雪.mp4", lasting(time.Second)),
	} {
		opened, err := clip.Open(t.Context(), path)
		require.NoError(t, err, name)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		assert.Equal(t, hex.EncodeToString(sum[:]), opened.SHA256(), name)
		assert.Equal(t, path, opened.String())
		require.NoError(t, opened.Close())
	}
}

// The error is a usage error of one line that names the file once.
func TestUnsuitableFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	large := filepath.Join(folder, "large.mp4")
	require.NoError(t, os.WriteFile(large, lasting(time.Second), 0o600))
	require.NoError(t, os.Truncate(large, clip.MaxBytes+1))
	dangling := filepath.Join(folder, "dangling.mp4")
	require.NoError(t, os.Symlink(filepath.Join(folder, "none"), dangling))
	good := lasting(time.Second)
	audio := join(mp4test.FileType("M4A "), mp4test.Movie(0, 0, 0, 0))
	tests := []struct{ name, path, text string }{
		{"missing", filepath.Join(folder, "none.mp4"), "there is no file " + folder},
		{"in a file", filepath.Join(large, "a.mp4"), "can't be read: not a directory"},
		{"impossible name", "a\x00b", "can't be read: invalid argument"},
		{"dangling link", dangling, "there is no file"},
		{"folder", folder, "is a folder: name one video file"},
		{"empty", file(t, "a.mp4", nil), "is empty"},
		{"too large", large, "has 500 MB and kie.ai takes at most 500 MB"},
		{"text", file(t, "a.mp4", []byte("Not a video at all.\n")), "is not a complete MP4, MOV or AVI: it does not begin like an MP4 or MOV"},
		{"text of a few bytes", file(t, "a.mp4", []byte("hello\n")), "does not begin like an MP4 or MOV"},
		{"web page", file(t, "a.mov", []byte("<html>\n\x1b[31m")), "is not a complete MP4, MOV or AVI"},
		{"truncated", file(t, "a.mp4", good[:len(good)-1]), "is not a complete MP4, MOV or AVI: the video is cut off"},
		{"still picture", file(t, "a.heic", mp4test.FileType("heic")), "has no moov"},
		{"audio", file(t, "a.m4a", audio), "has no picture track"},
		{"eleven seconds", file(t, "a.mp4", lasting(11*time.Second)), "lasts 11s and kie.ai takes at most 10s: cut it first"},
		{"a little too long", file(t, "a.mp4", lasting(10*time.Second+10*time.Millisecond)), "lasts 10.01s and kie.ai takes at most 10s"},
		{"AVI of eleven seconds", file(t, "a.avi", avi(40_000, 275)), "lasts 11s and"},
		{"AVI of excessive duration", file(t, "a.avi", avi(math.MaxUint32, math.MaxUint32)), "lasts 8760h0m0s"},
		{"truncated AVI", file(t, "a.avi", avi(40_000, 25)[:60]), "is not a complete MP4, MOV or AVI: the video is cut off"},
		{"AVI with another first list", file(t, "a.avi", riff("RIFF", "AVI ", riff("LIST", "movi"))), "it has no AVI header"},
		{"AVI without lists", file(t, "a.avi", riff("RIFF", "AVI ")), "it has no AVI header"},
		{"AVI with a short header", file(t, "a.avi", riff("RIFF", "AVI ", riff("LIST", "hdrl", riff("avih", "", make([]byte, 20))))), "it has no AVI header"},
		{"WAV", file(t, "a.avi", riff("RIFF", "WAVE")), "does not begin like"},
		{"device", os.DevNull, "is not a regular file"},
		{"name with control characters", "no\x1b[31m\nsuch.mp4", "there is no file no [31m such.mp4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := clip.Open(t.Context(), test.path)
			require.ErrorContains(t, err, test.text)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "\x1b")
			require.LessOrEqual(t, strings.Count(err.Error(), filepath.Base(test.path)), 1, "mentions of the file")
		})
	}
}

// Opening a named pipe would block until a process writes to it.
func TestNamedPipe(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe.mp4")
	if err := exec.Command("mkfifo", pipe).Run(); errors.Is(err, exec.ErrNotFound) {
		t.Skip("this system has no named pipes")
	} else {
		require.NoError(t, err)
	}
	_, err := clip.Open(t.Context(), pipe)
	require.ErrorContains(t, err, "is not a regular file")
	require.Equal(t, command.ExitUsage, command.ExitCode(err))
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	path := file(t, "a.mp4", lasting(time.Second))
	require.NoError(t, os.Chmod(path, 0))
	if _, err := os.ReadFile(path); err == nil {
		t.Skip("file permissions do not apply to this user")
	}
	_, err := clip.Open(t.Context(), path)
	require.ErrorContains(t, err, "can't be read: permission denied")
	require.Equal(t, command.ExitUsage, command.ExitCode(err))
}

// hookedContext calls hook whenever its error is read.
type hookedContext struct {
	context.Context
	hook func()
}

func (c hookedContext) Err() error {
	c.hook()
	return c.Context.Err()
}

// A file that is overwritten during the check is either rejected or no longer has
// the hash that the upload must match.
func TestFileChangesDuringTheCheck(t *testing.T) {
	t.Parallel()
	path := file(t, "a.mp4", lasting(time.Second))
	ctx := hookedContext{t.Context(), sync.OnceFunc(func() {
		assert.NoError(t, os.WriteFile(path, lasting(11*time.Second), 0o600))
	})}
	_, err := clip.Open(ctx, path)
	require.ErrorContains(t, err, "lasts 11s")
}

func TestOpenCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := clip.Open(ctx, file(t, "a.mp4", lasting(time.Second)))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
}
