package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store/audit"
)

const video, second, receipt = "luma_result_t_1.mp4", "luma_result_t_2.mp4", "luma_result_t.json"

// Files come and go while they are audited.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		// happens is what does when the first video is about to be opened.
		happens  func(*folder)
		problems []audit.Finding
		notes    []audit.Finding
	}{
		{
			name:     "a video vanishes",
			happens:  func(f *folder) { f.remove(video) },
			problems: []audit.Finding{{Kind: audit.Missing, File: video, Receipt: receipt, TaskID: "t", Detail: receipt + " lists it"}},
		},
		{
			name:    "a task is removed",
			happens: func(f *folder) { f.remove(video); f.remove(second); f.remove(receipt) },
			notes: []audit.Finding{
				{Kind: audit.Vanished, File: receipt, Detail: "it was there when the audit began"},
				{Kind: audit.Vanished, File: video, Detail: "it has gone while the audit ran; there is no " + receipt},
				{Kind: audit.Vanished, File: second, Detail: "it has gone while the audit ran; there is no " + receipt},
			},
		},
		{
			name:    "a task is collected again, with other bytes",
			happens: func(f *folder) { f.job("t", "another encoding", "second") },
		},
		{
			name:    "a task is collected again, and not whole",
			happens: func(f *folder) { f.job("t", "another encoding", "second"); f.write(video, "anoth") },
			problems: []audit.Finding{{Kind: audit.Truncated, File: video, Receipt: receipt, TaskID: "t",
				Detail: "5 of 16 bytes are there"}},
		},
		{
			name:    "a receipt leaves the video out",
			happens: func(f *folder) { f.write(video, "other"); f.receipt("t", f.listed(second)...) },
			notes:   []audit.Finding{{Kind: audit.Pending, File: video, Detail: "stored 0s ago, its receipt may still come"}},
		},
		{
			name:    "a receipt breaks",
			happens: func(f *folder) { f.write(video, "vidEo"); f.write(receipt, "") },
			problems: []audit.Finding{{Kind: audit.Changed, File: video, Receipt: receipt,
				Detail: "its bytes are not those that were stored"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			shelf := newFolder(t)
			shelf.job("t", "video", "second")
			var once sync.Once
			report := run(t, tampered{Shelf: shelf, onOpen: func(string) (io.ReadCloser, error) {
				once.Do(func() { test.happens(shelf) })
				return nil, nil
			}})
			assert.ElementsMatch(t, test.problems, report.Problems)
			assert.ElementsMatch(t, test.notes, report.Notes)
		})
	}
}

// A video is stored before its receipt. One whose receipt comes while the audit
// runs is audited by it, however old it is.
func TestReceiptsThatComeMeanwhile(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"video", "vidEo"} {
		shelf := newFolder(t)
		shelf.job("w", "all is well")
		shelf.video(video, content)
		shelf.aged(video, 48*time.Hour)
		report := run(t, tampered{Shelf: shelf, onOpen: func(name string) (io.ReadCloser, error) {
			if name == "luma_result_w_1.mp4" {
				shelf.receipt("t", listing(video, "video"))
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

func TestAReceiptVanishes(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	shelf.job("t", "video")
	report := run(t, tampered{Shelf: shelf, onReceipt: func(name string) error {
		_ = os.Remove(shelf.at(name))
		return nil
	}})
	assert.Equal(t, []audit.Finding{{Kind: audit.Missing, File: receipt, Detail: "it was there when the audit began"}}, report.Problems)
	assert.Equal(t, []audit.Finding{{Kind: audit.Pending, File: video, Detail: "stored 0s ago, its receipt may still come"}}, report.Notes)
}

// undated hides when a file came to be.
type undated struct{ io.ReadCloser }

// Not all stores tell the age of a file.
func TestAVideoOfUnknownAge(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	shelf.video(video, "video")
	report := run(t, tampered{Shelf: shelf, onOpen: func(name string) (io.ReadCloser, error) {
		file, err := shelf.Open(t.Context(), name)
		return undated{file}, err
	}})
	require.Len(t, report.Problems, 1)
	assert.Equal(t, audit.Unlisted, report.Problems[0].Kind)
}

// breaking gives some bytes and then an error.
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

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	shelf.job("t", "video")
	shelf.job("u", "video")
	shelf.job("w", "all is well")
	shelf.video("luma_result_x_1.mp4", "no receipt, and can't be read")
	refused := &fs.PathError{Op: "open", Path: "p", Err: fs.ErrPermission}
	report := run(t, tampered{Shelf: shelf, onOpen: func(name string) (io.ReadCloser, error) {
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

// Thousands of files that can't be read are one store that has gone.
func TestTheStoreGoes(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	for i := range 200 {
		shelf.job(fmt.Sprintf("%03d", i), "video")
	}
	var once sync.Once
	report, err := audit.Run(t.Context(), tampered{Shelf: shelf, onOpen: func(name string) (io.ReadCloser, error) {
		if name >= "luma_result_100" {
			once.Do(func() { assert.NoError(t, os.Rename(shelf.path, shelf.path+"-gone")) })
		}
		return nil, nil
	}}, audit.Options{Parallel: 1})
	t.Cleanup(func() { os.RemoveAll(shelf.path + "-gone") })
	require.EqualError(t, err, "list "+shelf.path+": no such file or directory")
	assert.False(t, report.Complete)
	assert.Equal(t, 200, report.Receipts)
	assert.Len(t, report.Problems, 19)
	assert.Equal(t, 119, report.Files)

	_, err = audit.Run(t.Context(), shelf, audit.Options{})
	require.ErrorIs(t, err, fs.ErrNotExist, "it is not an empty store")
}

// endless is a file that is read until somebody says stop.
type endless struct{ reads int }

func (e *endless) Read(p []byte) (int, error) { e.reads++; return len(p), nil }
func (e *endless) Close() error               { return nil }

func TestInterrupted(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	shelf.job("a", "missing")
	shelf.job("b", "endless")
	shelf.job("c", "never reached")
	shelf.write("unlisted.mp4", "x")
	shelf.remove("luma_result_a_1.mp4")
	ctx, cancel := context.WithCancel(t.Context())
	file := &endless{}
	report, err := audit.Run(ctx, tampered{Shelf: shelf, onOpen: func(name string) (io.ReadCloser, error) {
		if name != "luma_result_b_1.mp4" {
			return nil, nil
		}
		cancel()
		return file, nil
	}}, audit.Options{Parallel: 1})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, file.reads)
	assert.False(t, report.Complete)
	assert.Equal(t, 3, report.Receipts)
	require.Len(t, report.Problems, 1)
	assert.Equal(t, audit.Missing, report.Problems[0].Kind)

	// At other moments, too: before the list, and when all receipts are read but
	// no file is.
	stopped, stop := context.WithCancel(t.Context())
	stop()
	report, err = audit.Run(stopped, shelf, audit.Options{})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, report.Complete)
	ctx, cancel = context.WithCancel(t.Context())
	report, err = audit.Run(ctx, shelf, audit.Options{Parallel: 1, Tell: func(reached audit.Progress) {
		if reached.Receipts == 3 {
			cancel()
		}
	}})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, report.Complete)
	assert.Equal(t, 3, report.Receipts)
	assert.Empty(t, report.Problems)
}

// No more files are open at a time than were asked for.
func TestParallel(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	for i := range 12 {
		shelf.job(fmt.Sprint(i), "video")
	}
	var mu sync.Mutex
	open, most := 0, 0
	enough := make(chan struct{})
	var once sync.Once
	report, err := audit.Run(t.Context(), tampered{Shelf: shelf, onOpen: func(name string) (io.ReadCloser, error) {
		mu.Lock()
		defer mu.Unlock()
		if open++; open > most {
			most = open
		}
		if open == 3 {
			once.Do(func() { close(enough) })
		}
		file, err := shelf.Open(t.Context(), name)
		return &held{file, enough, func() { mu.Lock(); open -= 1; mu.Unlock() }}, err
	}}, audit.Options{Parallel: 3})
	require.NoError(t, err)
	assert.Equal(t, 12, report.Files)
	assert.Equal(t, 3, most)
}

// held is a file that can't be read before others are open, too.
type held struct {
	io.ReadCloser
	until  <-chan struct{}
	closed func()
}

func (h *held) Read(p []byte) (int, error) { <-h.until; return h.ReadCloser.Read(p) }
func (h *held) Close() error               { h.closed(); return h.ReadCloser.Close() }

// Workers go on storing while one audit follows the other.
func TestWhileWorkersStore(t *testing.T) {
	t.Parallel()
	shelf := newFolder(t)
	done := make(chan struct{})
	var workers sync.WaitGroup
	for worker := range 3 {
		workers.Go(func() {
			for i := range 20 {
				shelf.job(fmt.Sprintf("%d-%d", worker, i), "first", "second")
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
		report := run(t, shelf)
		require.Empty(t, report.Problems)
		for _, note := range report.Notes {
			require.Equal(t, audit.Pending, note.Kind, note.File)
		}
	}
	report := run(t, shelf)
	assert.Empty(t, report.Notes)
	assert.Equal(t, 120, report.Files)
}
