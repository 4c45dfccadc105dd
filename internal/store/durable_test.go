//go:build linux

package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/storetest"
	"lumaflow/test/syscalltest"
)

const (
	childFolder = "LUMAFLOW_TEST_CHILD_FOLDER"
	// childSource is the path of the video that the child process stores, or matches
	// for a comparison; without it the child stores a receipt.
	childSource = "LUMAFLOW_TEST_CHILD_SOURCE"
	matches     = "matches"
)

var content = []byte("video")

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		// strace counts the system calls of each thread.
		runtime.LockOSThread()
		if err := runChild(folder, os.Getenv(childSource)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(folder, path string) error {
	opened, err := store.Open(context.Background(), folder)
	if err != nil {
		return err
	}
	switch path {
	case "":
		_, err = opened.PutReceipt(context.Background(), name, receipt())
		return err
	case matches:
		_, same, err := opened.Matches(context.Background(), name, int64(len(content)), storetest.Sum(content))
		if err == nil && !same {
			err = errors.New("no match")
		}
		return err
	}
	_, err = opened.PutVideo(context.Background(), name, store.Source{Path: path, Bytes: int64(len(content)), SHA256: storetest.Sum(content)})
	return err
}

// publication is one way in which a file gets its final name.
type publication struct {
	// sources is the folder of the source, empty for a receipt.
	sources func(t *testing.T, dir string) string
	// folderSync is the number of the fsync of the folder, 1 the first one.
	folderSync string
	// failures are the other calls that can fail: name and number.
	failures [][2]string
}

var publications = map[string]publication{
	"renamed": {
		sources:    func(t *testing.T, _ string) string { return t.TempDir() },
		folderSync: "2",
		failures:   [][2]string{{"fsync", "1"}, {"renameat", "1"}},
	},
	"copied": {
		sources:    otherDevice,
		folderSync: "3",
		failures:   [][2]string{{"fsync", "1"}, {"write", "1"}, {"fsync", "2"}, {"renameat", "2"}},
	},
	"receipt": {
		folderSync: "2",
		failures:   [][2]string{{"write", "1"}, {"fsync", "1"}, {"renameat", "1"}},
	},
}

// attempt is one publication in a child process.
type attempt struct {
	dir, from string
	source    store.Source
	run       syscalltest.Run
}

func (p publication) attempt(t *testing.T, failure syscalltest.Failure) attempt {
	t.Helper()
	a := attempt{dir: t.TempDir()}
	if p.sources != nil {
		a.from = p.sources(t, a.dir)
		a.source = source(t, a.from, content)
	}
	a.run = syscalltest.Start(t, failure, childFolder+"="+a.dir, childSource+"="+a.source.Path)
	return a
}

// again publishes in this process, from the source or, if that is gone, another one.
func (p publication) again(t *testing.T, a attempt) {
	t.Helper()
	opened := open(t, a.dir)
	if p.sources == nil {
		_, err := opened.PutReceipt(t.Context(), name, receipt())
		require.NoError(t, err)
		_, err = opened.Receipt(t.Context(), name)
		require.NoError(t, err)
		return
	}
	if _, err := os.Stat(a.source.Path); err != nil {
		require.ErrorIs(t, err, fs.ErrNotExist)
		a.source = source(t, a.from, content)
	}
	_, err := opened.PutVideo(t.Context(), name, a.source)
	require.NoError(t, err)
	assert.Equal(t, content, read(t, a.dir, name))
}

func TestPublicationIsWrittenThenNamed(t *testing.T) {
	t.Parallel()
	for way, p := range publications {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := p.attempt(t, syscalltest.Failure{})
			require.NoError(t, a.run.Err, a.run.Output)
			final, folder := name, "<"+a.dir+">"
			steps := []syscalltest.Step{
				{Name: "write", Paths: []string{"<" + a.dir + "/.lumaflow-"}},
				{Name: "fsync", Paths: []string{"<" + a.dir + "/.lumaflow-"}},
				{Name: "renameat", Paths: []string{folder, ".lumaflow-", `"` + final + `"`}},
				{Name: "fsync", Paths: []string{folder}},
			}
			if way == "renamed" {
				steps = []syscalltest.Step{
					{Name: "fsync", Paths: []string{"<" + a.source.Path + ">"}},
					{Name: "renameat", Paths: []string{a.source.Path, filepath.Join(a.dir, final)}},
					{Name: "fsync", Paths: []string{folder}},
				}
			}
			if way == "copied" {
				a.run.InOrder(t, syscalltest.Step{Name: "fsync", Paths: []string{"<" + a.source.Path + ">"}}, steps[0])
			}
			a.run.InOrder(t, steps...)
			assert.Equal(t, []string{name}, entries(t, a.dir))
		})
	}
}

// A failed call leaves no file in the folder, neither under its name nor hidden.
func TestFailedPublication(t *testing.T) {
	t.Parallel()
	for way, p := range publications {
		for _, call := range append(p.failures, [2]string{"fsync", p.folderSync}) {
			for _, errno := range syscalltest.Errors() {
				t.Run(fmt.Sprintf("%s, %s %s, %s", way, call[0], call[1], errno), func(t *testing.T) {
					t.Parallel()
					a := p.attempt(t, syscalltest.Failure{Call: call[0], Error: errno, When: call[1]})
					require.Error(t, a.run.Err)
					require.Contains(t, a.run.Output, "store ")
					require.Contains(t, a.run.Output, a.dir)
					assert.Empty(t, entries(t, a.dir))
					switch {
					case p.sources == nil:
					case call == [2]string{"fsync", "1"}, way == "renamed" && call[0] == "fsync":
						assert.NoFileExists(t, a.source.Path, "the bytes come again")
					default:
						assert.FileExists(t, a.source.Path, "its bytes are on the disk")
					}
					p.again(t, a)
				})
			}
		}
	}
}

// A process that is killed after a failed fsync of the folder leaves the name. The next
// attempt does not accept the file, although it reads the right bytes.
func TestKilledAfterFailedFsync(t *testing.T) {
	t.Parallel()
	for way, p := range publications {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := p.attempt(t, syscalltest.Failure{Call: "fsync", Error: "EIO", When: p.folderSync, Kill: true})
			require.Error(t, a.run.Err)
			path := filepath.Join(a.dir, name)
			left, err := os.Open(path)
			require.NoError(t, err)
			defer left.Close()
			p.again(t, a)
			before, err := left.Stat()
			require.NoError(t, err)
			after, err := os.Stat(path)
			require.NoError(t, err)
			assert.False(t, os.SameFile(before, after), "the next attempt has a new inode")
		})
	}
}

// A video matches its receipt only if its bytes are on the disk.
func TestMatchesReadsTheDisk(t *testing.T) {
	t.Parallel()
	for failure, when := range map[string]string{"no failure": "", "fsync of the video": "1", "fsync of the folder": "2"} {
		t.Run(failure, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := open(t, dir).PutVideo(t.Context(), name, source(t, t.TempDir(), content))
			require.NoError(t, err)
			if when != "" {
				run := syscalltest.Start(t, syscalltest.Failure{Call: "fsync", Error: "EIO", When: when}, childFolder+"="+dir, childSource+"="+matches)
				require.Error(t, run.Err)
				assert.Equal(t, "no match\n", run.Output)
				return
			}
			run := syscalltest.Start(t, syscalltest.Failure{}, childFolder+"="+dir, childSource+"="+matches)
			require.NoError(t, run.Err, run.Output)
			video := []string{"<" + filepath.Join(dir, name) + ">"}
			run.InOrder(t,
				syscalltest.Step{Name: "fsync", Paths: video}, syscalltest.Step{Name: "fsync", Paths: []string{"<" + dir + ">"}},
				syscalltest.Step{Name: "fadvise64", Paths: video}, syscalltest.Step{Name: "read", Paths: video})
		})
	}
}
