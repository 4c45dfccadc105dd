package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

const video, second, receipt = "luma_result_t_1.mp4", "luma_result_t_2.mp4", "luma_result_t.json"

// Files are added, changed and removed during the audit.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// happens runs before the first video is opened.
		happens  func(*storetest.Folder)
		problems []audit.Finding
		notes    []audit.Finding
	}{
		{
			name:     "a video vanishes",
			happens:  func(f *storetest.Folder) { f.Remove(video) },
			problems: []audit.Finding{{Kind: audit.Missing, File: video, Receipt: receipt, TaskID: "t", Detail: receipt + " lists it"}},
		},
		{
			name:    "a task is removed",
			happens: func(f *storetest.Folder) { f.Remove(video); f.Remove(second); f.Remove(receipt) },
			notes: []audit.Finding{
				{Kind: audit.Vanished, File: receipt, Detail: "it was there when the audit began"},
				{Kind: audit.Vanished, File: video, Detail: "it has gone while the audit ran; there is no " + receipt},
				{Kind: audit.Vanished, File: second, Detail: "it has gone while the audit ran; there is no " + receipt},
			},
		},
		{
			name:    "a task is collected again, with other bytes",
			happens: func(f *storetest.Folder) { f.Job("t", "another encoding", "second") },
		},
		{
			name:    "a task is collected again, and not whole",
			happens: func(f *storetest.Folder) { f.Job("t", "another encoding", "second"); f.Write(video, "anoth") },
			problems: []audit.Finding{{Kind: audit.Truncated, File: video, Receipt: receipt, TaskID: "t",
				Detail: "5 of 16 bytes are there"}},
		},
		{
			name:    "a receipt leaves the video out",
			happens: func(f *storetest.Folder) { f.Write(video, "other"); f.AddReceipt("t", f.Listed(second)...) },
			notes:   []audit.Finding{{Kind: audit.Pending, File: video, Detail: "stored 0s ago, its receipt may still come"}},
		},
		{
			name:    "a receipt breaks",
			happens: func(f *storetest.Folder) { f.Write(video, "vidEo"); f.Write(receipt, "") },
			problems: []audit.Finding{{Kind: audit.Changed, File: video, Receipt: receipt,
				Detail: "its bytes are not those that were stored"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := storetest.NewFolder(t)
			f.Job("t", "video", "second")
			var once sync.Once
			report := run(t, storetest.Hooked{Store: f, OnOpen: func(string) (io.ReadCloser, error) {
				once.Do(func() { test.happens(f) })
				return nil, nil
			}})
			assert.ElementsMatch(t, test.problems, report.Problems)
			assert.ElementsMatch(t, test.notes, report.Notes)
		})
	}
}

// A video is stored before its receipt. A receipt that is written during the audit
// counts, independent of the video's age.
func TestReceiptWrittenDuringTheAudit(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"video", "vidEo"} {
		f := storetest.NewFolder(t)
		f.Job("w", "all is well")
		f.Video(video, content)
		f.Age(video, 48*time.Hour)
		report := run(t, storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
			if name == "luma_result_w_1.mp4" {
				f.AddReceipt("t", listing(video, "video"))
			}
			return nil, nil
		}})
		if content == "video" {
			assert.Empty(t, report.Problems)
			assert.Equal(t, 2, report.Files)
		} else {
			require.Len(t, report.Problems, 1)
			assert.Equal(t, audit.Changed, report.Problems[0].Kind)
		}
	}
}

func TestReceiptRemovedDuringTheAudit(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Job("t", "video")
	report := run(t, storetest.Hooked{Store: f, OnReceipt: func(name string) error {
		_ = os.Remove(f.At(name))
		return nil
	}})
	assert.Equal(t, []audit.Finding{{Kind: audit.Missing, File: receipt, Detail: "it was there when the audit began"}}, report.Problems)
	assert.Equal(t, []audit.Finding{{Kind: audit.Pending, File: video, Detail: "stored 0s ago, its receipt may still come"}}, report.Notes)
}

// undated hides the modification time of a file.
type undated struct{ io.ReadCloser }

// A store without modification times has no pending videos.
func TestVideoOfUnknownAge(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Video(video, "video")
	report := run(t, storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
		file, err := f.Open(t.Context(), name)
		return undated{file}, err
	}})
	require.Len(t, report.Problems, 1)
	assert.Equal(t, audit.Unlisted, report.Problems[0].Kind)
}

// breaking returns some bytes and then an error.
type breaking struct{ left int }

func (b *breaking) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, &fs.PathError{Op: "read", Path: video, Err: errors.New("input/output error")}
	}
	n := min(b.left, len(p))
	b.left -= n
	return n, nil
}

func (b *breaking) Close() error { return nil }

func TestUnreadableFiles(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Job("t", "video")
	f.Job("u", "video")
	f.Job("w", "all is well")
	f.Video("luma_result_x_1.mp4", "no receipt, and can't be read")
	refused := &fs.PathError{Op: "open", Path: "p", Err: fs.ErrPermission}
	report := run(t, storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
		switch name {
		case video:
			return &breaking{left: 1 << 20}, nil
		case "luma_result_w_1.mp4":
			return nil, nil
		}
		return nil, fmt.Errorf("open: %w", refused)
	}})
	assert.Equal(t, []audit.Finding{
		{Kind: audit.Unreadable, File: video, Receipt: receipt, TaskID: "t", Detail: "input/output error"},
		{Kind: audit.Unreadable, File: "luma_result_u_1.mp4", Receipt: "luma_result_u.json", TaskID: "u", Detail: "permission denied"},
		{Kind: audit.Unlisted, File: "luma_result_x_1.mp4", Detail: "there is no luma_result_x.json; permission denied"},
	}, report.Problems)
}

// An audit ends with one error if the store becomes unreadable.
func TestStoreBecomesUnreadable(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	for i := range 200 {
		f.Job(fmt.Sprintf("%03d", i), "video")
	}
	var once sync.Once
	report, err := audit.Run(t.Context(), storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
		if name >= "luma_result_100" {
			once.Do(func() { assert.NoError(t, os.Rename(f.Path, f.Path+"-gone")) })
		}
		return nil, nil
	}}, audit.Options{Parallel: 1})
	t.Cleanup(func() { _ = os.RemoveAll(f.Path + "-gone") })
	require.EqualError(t, err, "list "+f.Path+": no such file or directory")
	assert.False(t, report.Complete)
	assert.Equal(t, 200, report.Receipts)
	assert.Len(t, report.Problems, 19)
	assert.Equal(t, 119, report.Files)

	_, err = audit.Run(t.Context(), f, audit.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist, "it is not an empty store")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Job("a", "missing")
	f.Job("b", "endless")
	f.Job("c", "never reached")
	f.Write("unlisted.mp4", "x")
	f.Remove("luma_result_a_1.mp4")
	ctx, cancel := context.WithCancel(t.Context())
	file := &storetest.Endless{}
	report, err := audit.Run(ctx, storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
		if name != "luma_result_b_1.mp4" {
			return nil, nil
		}
		cancel()
		return file, nil
	}}, audit.Options{Parallel: 1})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, file.Reads)
	assert.False(t, report.Complete)
	assert.Equal(t, 3, report.Receipts)
	require.Len(t, report.Problems, 1)
	assert.Equal(t, audit.Missing, report.Problems[0].Kind)

	// Before the list, and after the last receipt.
	stopped, stop := context.WithCancel(t.Context())
	stop()
	report, err = audit.Run(stopped, f, audit.Options{})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, report.Complete)
	ctx, cancel = context.WithCancel(t.Context())
	report, err = audit.Run(ctx, f, audit.Options{Parallel: 1, OnProgress: func(reached audit.Progress) {
		if reached.Receipts == 3 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, report.Complete)
	assert.Equal(t, 3, report.Receipts)
	assert.Empty(t, report.Problems)
}

// Parallel bounds the open files.
func TestParallel(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	for i := range 12 {
		f.Job(strconv.Itoa(i), "video")
	}
	var mu sync.Mutex
	open, most := 0, 0
	enough := make(chan struct{})
	var once sync.Once
	report, err := audit.Run(t.Context(), storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
		mu.Lock()
		defer mu.Unlock()
		if open++; open > most {
			most = open
		}
		if open == 3 {
			once.Do(func() { close(enough) })
		}
		file, err := f.Open(t.Context(), name)
		return &held{file, enough, func() { mu.Lock(); open--; mu.Unlock() }}, err
	}}, audit.Options{Parallel: 3})
	require.NoError(t, err)
	assert.Equal(t, 12, report.Files)
	assert.Equal(t, 3, most)
}

// held is a file whose Read blocks until a channel is closed.
type held struct {
	io.ReadCloser
	until  <-chan struct{}
	closed func()
}

func (h *held) Read(p []byte) (int, error) { <-h.until; return h.ReadCloser.Read(p) }
func (h *held) Close() error               { h.closed(); return h.ReadCloser.Close() }

// Audits run while workers store videos.
func TestDuringStores(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	done := make(chan struct{})
	var workers sync.WaitGroup
	for worker := range 3 {
		workers.Go(func() {
			for i := range 20 {
				f.Job(fmt.Sprintf("%d-%d", worker, i), "first", "second")
			}
		})
	}
	go func() { workers.Wait(); close(done) }()
	for storing := true; storing; {
		select {
		case <-done:
			storing = false
		default:
		}
		report := run(t, f)
		require.Empty(t, report.Problems)
		for _, note := range report.Notes {
			require.Equal(t, audit.Pending, note.Kind, note.File)
		}
	}
	report := run(t, f)
	assert.Empty(t, report.Notes)
	assert.Equal(t, 120, report.Files)
}
