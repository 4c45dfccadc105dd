package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
)

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
