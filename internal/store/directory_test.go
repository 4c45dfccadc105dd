package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

const name = "luma_result_t1_1.mp4"

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), dir)
	require.NoError(t, err)
	return opened
}

// source writes content to a new file in dir.
func source(t *testing.T, dir string, content []byte) store.Source {
	t.Helper()
	file, err := os.CreateTemp(dir, "source-*.part")
	require.NoError(t, err)
	_, err = file.Write(content)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	digest := sha256.Sum256(content)
	return store.Source{Path: file.Name(), Bytes: int64(len(content)), SHA256: hex.EncodeToString(digest[:]), ContentType: "video/mp4"}
}

// otherDevice is a folder on another file system than dir.
func otherDevice(t *testing.T, dir string) string {
	t.Helper()
	other, err := os.MkdirTemp("/dev/shm", "lumaflow-test-") //nolint:usetesting // t.TempDir has one file system
	if err != nil {
		t.Skip("no second file system: ", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(other) })
	probe := filepath.Join(other, "probe")
	require.NoError(t, os.WriteFile(probe, nil, 0o600))
	if os.Rename(probe, filepath.Join(dir, "probe")) == nil {
		require.NoError(t, os.Remove(filepath.Join(dir, "probe")))
		t.Skip("/dev/shm is on the same file system")
	}
	return other
}

func TestPutVideo(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("video"), 100_000)
	for _, far := range []bool{false, true} {
		t.Run(map[bool]string{false: "renamed", true: "copied"}[far], func(t *testing.T) {
			t.Parallel()
			dir, from := t.TempDir(), t.TempDir()
			if far {
				from = otherDevice(t, dir)
			}
			opened := open(t, dir)
			put := source(t, from, content)
			location, err := opened.PutVideo(t.Context(), name, put)
			require.NoError(t, err)
			assert.Equal(t, "file://"+dir+"/"+name, location)
			stored := read(t, dir, name)
			assert.True(t, bytes.Equal(content, stored))
			assert.Equal(t, fs.FileMode(0o644), mode(t, filepath.Join(dir, name)))
			assert.Equal(t, []string{name}, entries(t, dir))
			if far {
				assert.FileExists(t, put.Path)
			} else {
				assert.NoFileExists(t, put.Path)
			}

			again, err := opened.PutVideo(t.Context(), name, put)
			require.NoError(t, err, "after a crash the source may be gone and the video stored")
			assert.Equal(t, location, again)

			other := source(t, from, []byte("another encoding"))
			_, err = opened.PutVideo(t.Context(), name, other)
			require.NoError(t, err)
			assert.Equal(t, "another encoding", string(read(t, dir, name)))

			same := source(t, from, []byte("another encoding"))
			_, err = opened.PutVideo(t.Context(), name, same)
			require.NoError(t, err)
			assert.FileExists(t, same.Path, "the stored video is not replaced")
			assert.Equal(t, []string{name}, entries(t, dir))
		})
	}
}

func TestPutVideoReplaces(t *testing.T) {
	t.Parallel()
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	tests := map[string]func(t *testing.T, path string){
		"damaged video of the same length": func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("vidEo"), 0o600)) },
		"cut video":                        func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte("vid"), 0o600)) },
		"link out of the folder": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(elsewhere, []byte("video"), 0o600))
			require.NoError(t, os.Symlink(elsewhere, path))
		},
		"link to nowhere": func(t *testing.T, path string) { require.NoError(t, os.Symlink("/nowhere", path)) },
	}
	for name, prepare := range tests {
		for _, far := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", renamed", true: ", copied"}[far], func(t *testing.T) {
				dir, from := t.TempDir(), t.TempDir()
				if far {
					from = otherDevice(t, dir)
				}
				prepare(t, filepath.Join(dir, "v.mp4"))
				t.Cleanup(func() { _ = os.Remove(elsewhere) })
				opened := open(t, dir)
				_, err := opened.PutVideo(t.Context(), "v.mp4", source(t, from, []byte("video")))
				require.NoError(t, err)
				info, err := os.Lstat(filepath.Join(dir, "v.mp4"))
				require.NoError(t, err)
				assert.True(t, info.Mode().IsRegular())
				assert.Equal(t, "video", string(read(t, dir, "v.mp4")))
				if left, err := os.ReadFile(elsewhere); err == nil {
					assert.Equal(t, "video", string(left), "nothing is written through a link")
				}
			})
		}
	}
}

func TestPutVideoRejects(t *testing.T) {
	t.Parallel()
	for _, far := range []bool{false, true} {
		t.Run(map[bool]string{false: "to be renamed", true: "to be copied"}[far], func(t *testing.T) {
			t.Parallel()
			dir, from := t.TempDir(), t.TempDir()
			if far {
				from = otherDevice(t, dir)
			}
			opened := open(t, dir)
			put := source(t, from, []byte("video"))

			for _, bad := range []string{
				"", ".", "..", "../v.mp4", "/v.mp4", "a/v.mp4", `a\v.mp4`, "a\x00.mp4", "a\n.mp4", ".v.mp4", "\xff.mp4",
				strings.Repeat("x", 252) + ".mp4",
			} {
				_, err := opened.PutVideo(t.Context(), bad, put)
				require.ErrorContains(t, err, "no plain file name", bad)
				_, _, err = opened.Matches(t.Context(), bad, put.Bytes, put.SHA256)
				require.ErrorContains(t, err, "no plain file name", bad)
				_, err = opened.PutReceipt(t.Context(), bad, receipt())
				require.ErrorContains(t, err, "no plain file name", bad)
				_, err = opened.Receipt(t.Context(), bad)
				require.ErrorContains(t, err, "no plain file name", bad)
				_, err = opened.Open(t.Context(), bad)
				require.ErrorContains(t, err, "no plain file name", bad)
			}

			longer := put
			longer.Bytes++
			_, err := opened.PutVideo(t.Context(), name, longer)
			require.ErrorContains(t, err, "the source has changed")

			missing := put
			missing.Path += "x"
			_, err = opened.PutVideo(t.Context(), name, missing)
			require.ErrorIs(t, err, fs.ErrNotExist)

			folder := put
			folder.Path = from
			_, err = opened.PutVideo(t.Context(), name, folder)
			require.Error(t, err)

			if far {
				other := put
				other.SHA256 = strings.Repeat("0", 64)
				_, err = opened.PutVideo(t.Context(), name, other)
				require.ErrorContains(t, err, "SHA-256")
			}

			canceled, cancel := context.WithCancel(t.Context())
			cancel()
			_, err = opened.PutVideo(canceled, name, put)
			require.ErrorIs(t, err, context.Canceled)

			require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.mp4"), 0o755))
			_, err = opened.PutVideo(t.Context(), "folder.mp4", put)
			require.Error(t, err)
			assert.FileExists(t, put.Path, "a failed attempt keeps the source")
			assert.Equal(t, []string{"folder.mp4"}, entries(t, dir), "no other file")
		})
	}
}

// Concurrent attempts all succeed, also those that share a source.
func TestPutVideoConcurrently(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("video"), 100_000)
	dir, from := t.TempDir(), t.TempDir()
	opened := open(t, dir)
	shared := source(t, from, content)
	var attempts sync.WaitGroup
	for i := range 16 {
		put := shared
		if i%2 == 0 {
			put = source(t, from, content)
		}
		attempts.Go(func() {
			_, err := opened.PutVideo(t.Context(), name, put)
			assert.NoError(t, err)
		})
	}
	attempts.Wait()
	assert.True(t, bytes.Equal(content, read(t, dir, name)))
	assert.Equal(t, []string{name}, entries(t, dir))
}

// A concurrent reader gets one complete version or the other.
func TestPutVideoIsAtomic(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	from := otherDevice(t, dir)
	opened := open(t, dir)
	versions := [][]byte{bytes.Repeat([]byte("a"), 1<<20), bytes.Repeat([]byte("b"), 1<<19)}
	_, err := opened.PutVideo(t.Context(), name, source(t, from, versions[0]))
	require.NoError(t, err)

	done := make(chan struct{})
	var reader sync.WaitGroup
	reads := 0
	reader.Go(func() {
		for {
			content, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(content, versions[0]) || bytes.Equal(content, versions[1]), "%d bytes", len(content))
			reads++
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 20 {
		_, err := opened.PutVideo(t.Context(), name, source(t, from, versions[(i+1)%2]))
		require.NoError(t, err)
	}
	close(done)
	reader.Wait()
	assert.Positive(t, reads)
}

// countdown is a context that is canceled after n calls of Err.
type countdown struct {
	context.Context
	n *atomic.Int32
}

func (c countdown) Err() error {
	if c.n.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestPutVideoCanceledHalfway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	put := source(t, otherDevice(t, dir), bytes.Repeat([]byte("video"), 1<<20))
	ctx := countdown{t.Context(), new(atomic.Int32)}
	ctx.n.Store(20)
	_, err := opened.PutVideo(ctx, name, put)
	require.ErrorIs(t, err, context.Canceled)
	assert.Negative(t, ctx.n.Load())
	assert.Empty(t, entries(t, dir))
	assert.FileExists(t, put.Path)
}

// hooked is a context that calls hook in Err.
type hooked struct {
	context.Context
	hook func()
}

func (c hooked) Err() error {
	c.hook()
	return nil
}

// A concurrent attempt with the same source replaces a damaged video while it is
// read.
func TestPutVideoOvertaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte("vidEo"), 0o600))
	put := source(t, t.TempDir(), []byte("video"))
	calls := 0
	ctx := hooked{t.Context(), func() {
		if calls++; calls == 2 {
			assert.NoError(t, os.Rename(put.Path, path))
		}
	}}
	_, err := opened.PutVideo(ctx, name, put)
	require.NoError(t, err)
	assert.Equal(t, "video", string(read(t, dir, name)))
}

func TestMatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	put := source(t, t.TempDir(), []byte("video"))
	match := func() (string, bool) {
		t.Helper()
		location, ok, err := opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
		require.NoError(t, err)
		return location, ok
	}
	_, ok := match()
	assert.False(t, ok, "missing")
	want, err := opened.PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	location, ok := match()
	assert.True(t, ok)
	assert.Equal(t, want, location)

	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte("vide0"), 0o600))
	location, ok = match()
	assert.False(t, ok, "damaged")
	assert.Empty(t, location)
	require.NoError(t, os.WriteFile(path, []byte("video and more"), 0o600))
	_, ok = match()
	assert.False(t, ok, "longer")
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o755))
	_, ok = match()
	assert.False(t, ok, "a folder")

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = opened.Matches(canceled, name, put.Bytes, put.SHA256)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, os.RemoveAll(dir))
	_, _, err = opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
	require.Error(t, err, "a missing folder is no missing video")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "videos")
	opened := open(t, dir)
	old := time.Now().Add(-25 * time.Hour)
	write := func(file string, at time.Time) {
		path := filepath.Join(dir, file)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	const abandoned, copying = ".lumaflow-ABCDEFGHIJKLMNOPQRSTUVWX27.tmp", ".lumaflow-BBCDEFGHIJKLMNOPQRSTUVWX27.tmp"
	write(abandoned, old)
	write(copying, time.Now())
	kept := []string{copying, name, ".lumaflow-notes.tmp", ".hidden"}
	for _, file := range kept[1:] {
		write(file, old)
	}
	require.NoError(t, opened.Check(t.Context()))
	assert.ElementsMatch(t, kept, entries(t, dir))

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, opened.Check(canceled), context.Canceled)

	assertUnusable := func() {
		t.Helper()
		err := opened.Check(t.Context())
		require.ErrorContains(t, err, "OUTPUT_URL: the folder "+dir+" can't be written")
		assert.NotContains(t, err.Error(), "\n")
	}
	require.NoError(t, os.RemoveAll(dir))
	assertUnusable()
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	assertUnusable()
}

// Root can write to every folder but a read-only file system.
func TestCheckReadOnly(t *testing.T) {
	t.Parallel()
	const kernel = "/proc/self/fdinfo"
	if _, err := os.Stat(kernel); err != nil {
		t.Skip(err)
	}
	opened, err := store.Open(t.Context(), kernel)
	require.NoError(t, err)
	require.ErrorContains(t, opened.Check(t.Context()), "OUTPUT_URL: the folder "+kernel+" can't be written")
	_, err = opened.PutVideo(t.Context(), name, source(t, t.TempDir(), []byte("video")))
	require.Error(t, err)
}

func read(t *testing.T, dir, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, file))
	require.NoError(t, err)
	return content
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, entry := range found {
		names = append(names, entry.Name())
	}
	return names
}
