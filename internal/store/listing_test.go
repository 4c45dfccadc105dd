//go:build unix

package store_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/storetest"
)

func TestList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	assert.Empty(t, storetest.List(t, opened))

	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("outside"), 0o600))
	for name, content := range map[string]string{
		"a.mp4": "aa", "a_1.mp4": "a", "B.mp4": "", "käse.mp4": "ccc", "new\nline": "n", "bad\xff": "x",
		".lumaflow-ABCDEFGHIJKLMNOPQRSTUVWX27.tmp": "being written", ".DS_Store": "hides",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "a", "deeper"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a", "in a folder.mp4"), []byte("x"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".Trash"), 0o755))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link")))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(dir, "link to a folder")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))

	assert.Equal(t, []store.Entry{
		{Name: "B.mp4"}, {Name: "a.mp4", Bytes: 2}, {Name: "a/"}, {Name: "a_1.mp4", Bytes: 1}, {Name: "bad\xff", Bytes: 1}, {Name: "käse.mp4", Bytes: 3},
		{Name: "link"}, {Name: "link to a folder"}, {Name: "new\nline", Bytes: 1}, {Name: "pipe"},
	}, storetest.List(t, opened))
	for entry, err := range opened.List(t.Context()) {
		require.NoError(t, err)
		assert.Equal(t, "B.mp4", entry.Name)
		break // stops the iteration
	}
}

// An incomplete list ends with an error.
func TestListFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	for _, name := range []string{"a", "b"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	ending := func(ctx context.Context, onFirst func()) (names []string, last error) {
		for entry, err := range opened.List(ctx) {
			require.NoError(t, last, "an error is the last")
			if last = err; err != nil {
				continue
			}
			if names = append(names, entry.Name); len(names) == 1 {
				onFirst()
			}
		}
		return names, last
	}

	ctx, cancel := context.WithCancel(t.Context())
	names, err := ending(ctx, cancel)
	assert.Equal(t, []string{"a"}, names)
	require.ErrorIs(t, err, context.Canceled)

	names, err = ending(t.Context(), func() { assert.NoError(t, os.Remove(filepath.Join(dir, "b"))) })
	assert.Equal(t, []string{"a"}, names, "a file removed during the listing is skipped")
	require.NoError(t, err)

	require.NoError(t, os.RemoveAll(dir))
	names, err = ending(t.Context(), func() {})
	assert.Empty(t, names)
	require.EqualError(t, err, "list "+dir+": no such file or directory")
}

func TestOpenFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opened := open(t, dir)
	put := source(t, t.TempDir(), []byte("video"))
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(put.Path, old, old), "the source is old")
	_, err := opened.PutVideo(t.Context(), name, put)
	require.NoError(t, err)
	file, err := opened.Open(t.Context(), name)
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	assert.Equal(t, "video", string(content))
	assert.WithinDuration(t, time.Now(), file.(interface{ ModTime() time.Time }).ModTime(), time.Hour, "time of publication")
	require.NoError(t, file.Close())

	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "out")))
	require.NoError(t, os.Symlink(name, filepath.Join(dir, "in")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	for _, irregular := range []string{"out", "in", "pipe", "folder"} {
		_, err = opened.Open(t.Context(), irregular)
		require.ErrorIs(t, err, store.ErrNotRegular, irregular)
		_, err = opened.Receipt(t.Context(), irregular)
		require.ErrorIs(t, err, store.ErrNotRegular, irregular)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = opened.Open(canceled, name)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, os.RemoveAll(dir))
	_, err = opened.Open(t.Context(), name)
	require.Error(t, err)
	assert.NotErrorIs(t, err, fs.ErrNotExist, "a missing folder is no missing file")
}
