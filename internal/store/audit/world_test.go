package audit_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder is a store in a temporary folder.
type folder struct {
	store.Store
	t    testing.TB
	path string
}

func newFolder(t testing.TB) *folder {
	t.Helper()
	path := t.TempDir()
	opened, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	return &folder{opened, t, path}
}

// job stores the videos of a task and its receipt, like a worker.
func (f *folder) job(task string, videos ...string) {
	f.t.Helper()
	var names []string
	for i, content := range videos {
		name := store.VideoName("", task, i+1, ".mp4")
		f.video(name, content)
		names = append(names, name)
	}
	f.receipt(task, f.listed(names...)...)
}

// video publishes a video without a receipt.
func (f *folder) video(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "part")
	require.NoError(f.t, os.WriteFile(path, []byte(content), 0o600))
	_, err := f.PutVideo(f.t.Context(), name, store.Source{Path: path, Bytes: int64(len(content)), SHA256: sum(content)})
	require.NoError(f.t, err)
}

// listed returns the receipt entries of files with their current content.
func (f *folder) listed(names ...string) (files []store.ReceiptFile) {
	f.t.Helper()
	for _, name := range names {
		content, err := os.ReadFile(f.at(name))
		require.NoError(f.t, err)
		files = append(files, listing(name, string(content)))
	}
	return files
}

func (f *folder) receipt(task string, files ...store.ReceiptFile) {
	f.t.Helper()
	_, err := f.PutReceipt(f.t.Context(), store.ReceiptName("", task), store.Receipt{TaskID: task, Job: "job-" + task, Files: files})
	require.NoError(f.t, err)
}

func (f *folder) at(name string) string { return filepath.Join(f.path, name) }

// write writes a file without the store.
func (f *folder) write(name, content string) {
	f.t.Helper()
	require.NoError(f.t, os.WriteFile(f.at(name), []byte(content), 0o600))
}

func (f *folder) remove(name string) {
	f.t.Helper()
	require.NoError(f.t, os.Remove(f.at(name)))
}

// aged sets the modification time of a file to an age ago.
func (f *folder) aged(name string, age time.Duration) {
	f.t.Helper()
	then := time.Now().Add(-age)
	require.NoError(f.t, os.Chtimes(f.at(name), then, then))
}

func listing(name, content string) store.ReceiptFile {
	return store.ReceiptFile{Name: name, Bytes: int64(len(content)), SHA256: sum(content)}
}

func sum(content string) string {
	digest := sha256.Sum256([]byte(content))
	return hex.EncodeToString(digest[:])
}

const grace = 24 * time.Hour

func run(t *testing.T, s audit.Store) audit.Report {
	t.Helper()
	report, err := audit.Run(t.Context(), s, audit.Options{Parallel: 4, Grace: grace})
	require.NoError(t, err)
	require.True(t, report.Complete)
	return report
}

// tampered is a store with hooks.
type tampered struct {
	audit.Store
	// onOpen and onReceipt are called before a file is opened or a receipt is
	// read. A reader or an error of onOpen replaces the file.
	onOpen    func(name string) (io.ReadCloser, error)
	onReceipt func(name string) error
}

func (s tampered) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if s.onOpen != nil {
		if file, err := s.onOpen(name); file != nil || err != nil {
			return file, err
		}
	}
	return s.Store.Open(ctx, name)
}

func (s tampered) Receipt(ctx context.Context, name string) (store.Receipt, error) {
	if s.onReceipt != nil {
		if err := s.onReceipt(name); err != nil {
			return store.Receipt{}, err
		}
	}
	return s.Store.Receipt(ctx, name)
}

// bucket is a store that lists more entries.
type bucket struct {
	audit.Store
	more []store.Entry
}

func (s bucket) List(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for _, entry := range s.more {
			if !yield(entry, nil) {
				return
			}
		}
		s.Store.List(ctx)(yield)
	}
}
