//go:build linux

package fetch_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
	"lumaflow/test/syscalltest"
)

func TestFsyncFollowsTheLastWrite(t *testing.T) {
	t.Parallel()
	data := video(3*fetch.CheckpointEvery, 1)
	server := newOrigin(t, compliant(data, etag))
	workDir := t.TempDir()
	run := syscalltest.Start(t, syscalltest.Failure{}, childLink+"="+server.link(), childWorkDir+"="+workDir)
	require.NoError(t, run.Err, run.Output)
	part, _ := fetch.WorkFiles(key)
	path := "<" + filepath.Join(workDir, part) + ">"
	calls := run.InOrder(t, syscalltest.Step{Name: "pwrite64", Paths: []string{path}}, syscalltest.Step{Name: "fsync", Paths: []string{path}})
	assert.Len(t, calls[1], 1)
}

// attemptUnder runs an attempt in which a call fails, and returns the work directory
// and the file of that attempt, which keeps the number of its inode in use.
func attemptUnder(t *testing.T, failure syscalltest.Failure, data []byte) (workDir string, used *os.File, server *origin) {
	t.Helper()
	workDir = t.TempDir()
	part, _ := fetch.WorkFiles(key)
	server = newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		var err error
		used, err = os.Open(filepath.Join(workDir, part))
		assert.NoError(t, err)
		compliant(data, etag)(w, r)
	}, compliant(data, etag))
	failure.Path = filepath.Join(workDir, failure.Path)
	run := syscalltest.Start(t, failure, childLink+"="+server.link(), childWorkDir+"="+workDir)
	require.Error(t, run.Err)
	require.Contains(t, run.Output, "disk: download from")
	require.Contains(t, run.Output, "work directory "+workDir)
	require.NotNil(t, used)
	t.Cleanup(func() { _ = used.Close() })
	return workDir, used, server
}

// nextAttempt completes the download and reports whether it began a new file.
func nextAttempt(t *testing.T, workDir string, used *os.File, server *origin, data []byte) (fresh bool) {
	t.Helper()
	fetcher := newFetcher(t, func(o *fetch.Options) { o.WorkDir = workDir })
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.NoError(t, err)
	assert.Equal(t, sum(data), file.SHA256)
	before, err := used.Stat()
	require.NoError(t, err)
	after, err := os.Stat(file.Path)
	require.NoError(t, err)
	require.NoError(t, file.Discard())
	return !os.SameFile(before, after)
}

func TestFailedFsyncKeepsNothing(t *testing.T) {
	t.Parallel()
	part, _ := fetch.WorkFiles(key)
	data := video(3*fetch.CheckpointEvery, 1)
	for _, errno := range syscalltest.Errors() {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			workDir, used, server := attemptUnder(t, syscalltest.Failure{Call: "fsync", Error: errno, Path: part}, data)
			assert.Empty(t, entries(t, workDir))
			info, err := used.Stat()
			require.NoError(t, err)
			assert.Zero(t, info.Size())
			assert.True(t, nextAttempt(t, workDir, used, server, data), "the next attempt has a new inode")
			assert.Equal(t, []string{"", ""}, server.ranges(), "all bytes are downloaded again")
		})
	}
}

func TestFailedWrite(t *testing.T) {
	t.Parallel()
	part, _ := fetch.WorkFiles(key)
	data := video(3*fetch.CheckpointEvery, 1)
	for _, errno := range syscalltest.Errors() {
		t.Run("bytes, "+errno, func(t *testing.T) {
			t.Parallel()
			workDir, used, server := attemptUnder(t, syscalltest.Failure{Call: "pwrite64", Error: errno, Path: part, When: "10+"}, data)
			fresh := nextAttempt(t, workDir, used, server, data)
			// A full disk loses no bytes that were written before.
			assert.Equal(t, errno == "EIO", fresh)
			assert.Equal(t, errno == "EIO", server.ranges()[1] == "")
		})
		t.Run("checkpoint, "+errno, func(t *testing.T) {
			t.Parallel()
			workDir, used, server := attemptUnder(t, syscalltest.Failure{Call: "renameat", Error: errno}, data)
			_ = nextAttempt(t, workDir, used, server, data)
			assert.Empty(t, entries(t, workDir))
		})
	}
}

func TestResumedBytesAreReadFromTheDisk(t *testing.T) {
	t.Parallel()
	data := video(3*fetch.CheckpointEvery, 1)
	server := newOrigin(t, breakAfter(data, etag, 2*fetch.CheckpointEvery), compliant(data, etag))
	fetcher := newFetcher(t)
	_, err := fetcher.Fetch(t.Context(), fetch.Request{URL: server.link(), Key: key})
	require.Error(t, err)
	run := syscalltest.Start(t, syscalltest.Failure{}, childLink+"="+server.link(), childWorkDir+"="+fetcher.WorkDir())
	require.NoError(t, run.Err, run.Output)
	part, _ := fetch.WorkFiles(key)
	path := "<" + filepath.Join(fetcher.WorkDir(), part) + ">"
	var names []string
	for _, call := range run.Calls {
		if strings.Contains(call.Arguments, path) && !slices.Contains(names, call.Name) {
			names = append(names, call.Name)
		}
	}
	assert.Equal(t, []string{"ftruncate", "fadvise64", "pread64", "pwrite64", "fsync"}, names)
}
