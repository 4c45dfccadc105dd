package clip_test

import (
	"bytes"
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
		"ten seconds and two frames":    file(t, "a.mp4", lasting(10*time.Second+80*time.Millisecond)),
		"29.97 frames per second":       testdata + "field/valid-ntsc-t10.mp4",
		"24 frames per second":          testdata + "field/valid-241-frames-24fps.mp4",
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
	require.NoError(t, os.Truncate(large, 500_000_000+1))
	dangling := filepath.Join(folder, "dangling.mp4")
	require.NoError(t, os.Symlink(filepath.Join(folder, "none"), dangling))
	good := lasting(time.Second)
	const testdata = "../media/testdata/"
	tests := []struct{ name, path, text string }{
		{"missing", filepath.Join(folder, "none.mp4"), "there is no file " + folder},
		{"in a file", filepath.Join(large, "a.mp4"), "can't be read: not a directory"},
		{"impossible name", "a\x00b", "can't be read: invalid argument"},
		{"dangling link", dangling, "there is no file"},
		{"folder", folder, "is a folder: name one video file"},
		{"empty", file(t, "a.mp4", nil), "is empty"},
		{"too large", large, "has 500 MB and model luma takes at most 500 MB"},
		{"text", file(t, "a.mp4", []byte("Not a video at all.\n")), "is not a complete MP4, MOV or AVI: it does not begin like an MP4 or MOV"},
		{"text of a few bytes", file(t, "a.mp4", []byte("hello\n")), "does not begin like an MP4 or MOV"},
		{"web page", file(t, "a.mov", []byte("<html>\n\x1b[31m")), "is not a complete MP4, MOV or AVI"},
		{"truncated", file(t, "a.mp4", good[:len(good)-1]), "is not a complete MP4, MOV or AVI: the video is cut off"},
		{"still picture", file(t, "a.heic", mp4test.FileType("heic")), "it has no index (moov box)"},
		{"audio", testdata + "field/bad-audio-only.mp4", "has no picture, and kie.ai modifies videos: it has no picture track"},
		{"AVI of sound", testdata + "field/bad-audio-only.avi", "it has no picture stream"},
		{"fragments without an end", testdata + "corpus/fragments-unfinished.mp4", "upload a copy of it: ffmpeg -i '" + testdata + "corpus/fragments-unfinished.mp4' -c copy '" + testdata + "corpus/fragments-unfinished-copy.mp4'"},
		{"no duration in the movie header", testdata + "field/bad-20s-mvhd-duration-0.mp4", "lasts 20s"},
		{"eleven seconds", file(t, "a.mp4", lasting(11*time.Second)), "lasts 11s and model luma takes at most 10s: cut it first: ffmpeg -i '"},
		{"a little too long", file(t, "a.mp4", lasting(10*time.Second+120*time.Millisecond)), "lasts 10.12s and model luma takes at most 10s"},
		{"AVI of eleven seconds", file(t, "a.avi", avi(40_000, 275)), "lasts 11s and"},
		{"slide show of eleven seconds", file(t, "a.avi", avi(1_000_000, 11)), "lasts 11s and"},
		{"AVI of excessive duration", file(t, "a.avi", avi(math.MaxUint32, 10_000)), "lasts 8760h0m0s"},
		{"an excess of boxes", file(t, "a.mp4", append(lasting(time.Second), bytes.Repeat(mp4test.Atom("free"), 1<<16)...)), "can't be checked: it has more than 65536 boxes: if it lasts more than 10s, cut it first: ffmpeg -i"},
		{"truncated AVI", file(t, "a.avi", avi(40_000, 25)[:420]), "is not a complete MP4, MOV or AVI: the video is cut off"},
		{"AVI with another first list", file(t, "a.avi", riff("RIFF", "AVI ", riff("LIST", "movi"))), "it has no AVI header"},
		{"AVI without lists", file(t, "a.avi", riff("RIFF", "AVI ")), "it has no AVI header"},
		{"AVI with a short header", file(t, "a.avi", riff("RIFF", "AVI ", riff("LIST", "hdrl", riff("strh", "", make([]byte, 20))))), "is too short"},
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
			text, _, _ := strings.Cut(err.Error(), "ffmpeg")
			require.LessOrEqual(t, strings.Count(text, filepath.Base(test.path)), 1, "mentions of the file")
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
	path := file(t, "a.mp4", join(lasting(time.Second), make([]byte, 4096)))
	ctx := hookedContext{t.Context(), sync.OnceFunc(func() {
		assert.NoError(t, os.WriteFile(path, join(lasting(11*time.Second), make([]byte, 4096)), 0o600))
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

// requireFFmpeg skips the test without ffmpeg, which lumaflow itself does not need.
func requireFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
}

// ffmpeg runs ffmpeg with arguments for a shell.
func ffmpeg(t *testing.T, arguments string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "sh", "-c", "ffmpeg -nostdin "+arguments).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// The advice for a clip that is too long leads to one that is accepted.
func TestCutCommand(t *testing.T) {
	t.Parallel()
	requireFFmpeg(t)
	content, err := os.ReadFile("../media/testdata/field/long-20s.mp4")
	require.NoError(t, err)
	path := file(t, "it's $long.mp4", content)
	_, err = clip.Open(t.Context(), path)
	require.ErrorContains(t, err, "lasts 20s")
	_, advice, _ := strings.Cut(err.Error(), "ffmpeg ")
	ffmpeg(t, advice)
	open(t, strings.TrimSuffix(path, ".mp4")+"-cut.mp4")
}
