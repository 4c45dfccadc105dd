package fetch_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
)

func TestNew(t *testing.T) {
	t.Parallel()
	_, err := fetch.New(fetch.Options{})
	require.ErrorContains(t, err, "WORK_DIR")
	_, err = fetch.New(fetch.Options{WorkDir: t.TempDir(), StallTimeout: -1})
	require.Error(t, err)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = fetch.New(fetch.Options{WorkDir: filepath.Join(file, "work")})
	require.ErrorContains(t, err, "WORK_DIR")

	dir := filepath.Join(t.TempDir(), "a", "b")
	_, err = fetch.New(fetch.Options{WorkDir: dir})
	require.NoError(t, err)
	assert.Empty(t, entries(t, dir))
}

func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	part, state := fetch.WorkFiles(key)
	young, _ := fetch.WorkFiles("young")
	old := time.Now().Add(-16 * 24 * time.Hour)
	write := func(name string, at time.Time) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	base := part[:len(part)-len(".part")]
	private := base + "-ABCDEFGHIJKLMNOPQRSTUVWX27.part"
	for _, name := range []string{part, state, state + ".new", private} {
		write(name, old)
	}
	kept := []string{"holiday.part", "lumaflow-notes.json", base + ".mp4", base + "-short.part"}
	for _, name := range kept {
		write(name, old)
	}
	write(young, time.Now().Add(-14*24*time.Hour))
	folder, _ := fetch.WorkFiles("folder")
	require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
	require.NoError(t, os.Chtimes(filepath.Join(dir, folder), old, old))

	_, err := fetch.New(fetch.Options{WorkDir: dir})
	require.NoError(t, err)
	assert.ElementsMatch(t, append(kept, young, folder), entries(t, dir))
}

// While one attempt holds the lock, another one uses a private file.
func TestOverlappingAttempts(t *testing.T) {
	t.Parallel()
	data := video(900_000, 1)
	release := make(chan struct{})
	slow := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", etag)
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		_, _ = w.Write(data[:400_000])
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = w.Write(data[400_000:])
	})
	quick := newOrigin(t, compliant(data, etag))
	workDir := t.TempDir()
	// Two fetchers represent two processes.
	slowFetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })

	begun := make(chan struct{})
	type outcome struct {
		file *fetch.File
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		var once sync.Once
		file, err := slowFetcher.Fetch(t.Context(), fetch.Request{URL: slow.link(), Key: key, Progress: func(int64, int64) {
			once.Do(func() { close(begun) })
		}})
		ended <- outcome{file, err}
	}()
	<-begun

	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: quick.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	assert.Equal(t, []string{""}, quick.ranges(), "a private file is not resumed")
	assert.Len(t, entries(t, workDir), 3)
	require.NoError(t, file.Close())
	assert.NoFileExists(t, file.Path, "no attempt would resume a private file")

	close(release)
	late := <-ended
	require.NoError(t, late.err)
	assert.Equal(t, sum(data), late.file.SHA256)
	assert.NotEqual(t, file.Path, late.file.Path)
	stored, err := os.ReadFile(late.file.Path)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(data, stored))
	require.NoError(t, late.file.Discard())
	assert.Empty(t, entries(t, workDir))
}

// A failed attempt removes its private file.
func TestFailedPrivateAttempt(t *testing.T) {
	t.Parallel()
	data := video(900_000, 1)
	server := newOrigin(t, compliant(data, etag), breakAfter(data, etag, 1000))
	fetcher := newFetcher(t)
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	before := entries(t, fetcher.WorkDir())
	_, err = fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.Error(t, err)
	assert.Equal(t, before, entries(t, fetcher.WorkDir()))
	require.NoError(t, file.Discard())
}

// A store may rename the file while the lock is held. Discard leaves a new file of
// the same name alone.
func TestDiscardAfterRename(t *testing.T) {
	t.Parallel()
	data := video(900_000, 1)
	server := newOrigin(t, compliant(data, etag))
	fetcher := newFetcher(t)
	published := filepath.Join(t.TempDir(), "video.mp4")

	first, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	require.NoError(t, os.Rename(first.Path, published))
	second, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, first.Path, second.Path, "the name is free")
	require.NoError(t, first.Discard())

	stored, err := os.ReadFile(second.Path)
	require.NoError(t, err)
	assert.Equal(t, sum(data), sum(stored))
	stored, err = os.ReadFile(published)
	require.NoError(t, err)
	assert.Equal(t, sum(data), sum(stored), "the second attempt did not write into the published file")
	require.NoError(t, second.Discard())
	assert.Empty(t, entries(t, fetcher.WorkDir()))
	assert.FileExists(t, published)
}

// A file that lost its name between open and lock belongs to the process that
// renamed it, normally a store.
func TestLockOfARenamedFile(t *testing.T) {
	t.Parallel()
	dir, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	defer dir.Close()
	create := func() *os.File {
		file, err := dir.Create("x.part")
		require.NoError(t, err)
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	file := create()
	present, err := fetch.LockPresent(dir, file, "x.part")
	require.NoError(t, err)
	assert.True(t, present)

	late, err := dir.OpenFile("x.part", os.O_RDWR, 0)
	require.NoError(t, err)
	defer late.Close()
	_, err = fetch.LockPresent(dir, late, "x.part")
	require.Error(t, err, "another descriptor holds the lock")

	require.NoError(t, dir.Rename("x.part", "published"))
	require.NoError(t, file.Close())
	present, err = fetch.LockPresent(dir, late, "x.part")
	require.NoError(t, err)
	assert.False(t, present, "the file has been renamed")
	create()
	present, err = fetch.LockPresent(dir, late, "x.part")
	require.NoError(t, err)
	assert.False(t, present, "another file has the name")
}

func TestManyAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	data := video(2*fetch.CheckpointEvery, 1)
	server := newOrigin(t, compliant(data, etag))
	fetcher := newFetcher(t)
	var attempts sync.WaitGroup
	for range 8 {
		attempts.Go(func() {
			for range 4 {
				file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
				if err != nil {
					t.Error(err)
					return
				}
				stored, err := os.ReadFile(file.Path)
				if err = errors.Join(err, file.Discard()); err != nil {
					t.Error(err)
				}
				assert.Equal(t, sum(data), sum(stored))
			}
		})
	}
	attempts.Wait()
	assert.Empty(t, entries(t, fetcher.WorkDir()))
}

// A zero File, as tests of other packages create, has nothing to release.
func TestZeroFile(t *testing.T) {
	t.Parallel()
	require.NoError(t, new(fetch.File).Discard())
	require.NoError(t, new(fetch.File).Close())
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	assert.Zero(t, fetch.KindOf(nil))
	assert.Equal(t, fetch.Transient, fetch.KindOf(errors.New("anything")))
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EACCES} {
		err := fmt.Errorf("store: %w", &fs.PathError{Op: "write", Path: "x", Err: errno})
		assert.Equal(t, fetch.Disk, fetch.KindOf(err), errno)
	}
	assert.Equal(t, fetch.Rejected, fetch.KindOf(fmt.Errorf("x: %w", &fetch.Error{Kind: fetch.Rejected, Err: syscall.ENOSPC})))
	for kind, name := range map[fetch.Kind]string{
		fetch.Transient: "transient", fetch.LinkDead: "link dead", fetch.Rejected: "rejected",
		fetch.Forbidden: "forbidden", fetch.Disk: "disk", 0: "Kind(0)",
	} {
		assert.Equal(t, name, kind.String())
	}
}
