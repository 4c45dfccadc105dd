package store_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/storetest"
)

const name = storetest.Name

var source = storetest.Source

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	opened, err := store.Open(t.Context(), dir)
	require.NoError(t, err)
	return opened
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

// inBothWays runs a test with sources on the file system of the store, which are
// renamed, and on another one, which are copied.
func inBothWays(t *testing.T, test func(t *testing.T, sources func(t *testing.T, dir string) string, copied bool)) {
	t.Parallel()
	t.Run("renamed", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T, _ string) string { return t.TempDir() }, false)
	})
	t.Run("copied", func(t *testing.T) {
		t.Parallel()
		test(t, otherDevice, true)
	})
}

func TestContract(t *testing.T) {
	inBothWays(t, func(t *testing.T, sources func(*testing.T, string) string, copied bool) {
		storetest.Contract(t, func(t *testing.T) storetest.Opened {
			dir := t.TempDir()
			t.Cleanup(func() {
				for _, file := range entries(t, dir) {
					assert.False(t, strings.HasPrefix(file, "."), "%s is left behind", file)
				}
			})
			return storetest.Opened{Store: open(t, dir), Root: "file://" + dir, Sources: sources(t, dir), Hashes: copied}
		})
	})
}

func TestPutVideo(t *testing.T) {
	inBothWays(t, func(t *testing.T, sources func(*testing.T, string) string, copied bool) {
		dir := t.TempDir()
		opened := open(t, dir)
		put := source(t, sources(t, dir), []byte("video"))
		_, err := opened.PutVideo(t.Context(), name, put)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o644), mode(t, filepath.Join(dir, name)))
		if copied {
			assert.FileExists(t, put.Path)
		} else {
			assert.NoFileExists(t, put.Path)
		}

		put = source(t, sources(t, dir), []byte("video"))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.mp4"), 0o755))
		_, err = opened.PutVideo(t.Context(), "folder.mp4", put)
		require.Error(t, err)
		assert.FileExists(t, put.Path, "a failed attempt keeps the source")
		assert.Equal(t, []string{"folder.mp4", name}, entries(t, dir), "no other file")
	})
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

// Matches reads what is on the disk.
func TestMatches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	put := source(t, t.TempDir(), []byte("video"))
	_, err := opened.PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	path := filepath.Join(dir, name)
	assertDamaged := func() {
		t.Helper()
		location, ok, err := opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
		require.NoError(t, err)
		assert.False(t, ok)
		assert.Empty(t, location)
	}
	for _, content := range []string{"vide0", "video and more"} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		assertDamaged()
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o755))
	assertDamaged()
	require.NoError(t, os.RemoveAll(dir))
	_, _, err = opened.Matches(t.Context(), name, put.Bytes, put.SHA256)
	require.Error(t, err, "a missing folder is no missing video")
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
