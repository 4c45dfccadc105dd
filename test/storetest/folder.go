package storetest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
)

// Folder is a store in a temporary folder.
type Folder struct {
	store.Store
	T    testing.TB
	Path string
}

// NewFolder opens a store in a new folder.
func NewFolder(t testing.TB) *Folder {
	t.Helper()
	path := t.TempDir()
	opened, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	return &Folder{opened, t, path}
}

// Job stores the videos of a task and its receipt, like a worker.
func (f *Folder) Job(task string, videos ...string) {
	f.T.Helper()
	var names []string
	for i, content := range videos {
		name := store.VideoName("", task, i+1, ".mp4")
		f.Video(name, content)
		names = append(names, name)
	}
	f.AddReceipt(task, f.Listed(names...)...)
}

// Video publishes a video without a receipt.
func (f *Folder) Video(name, content string) {
	f.T.Helper()
	_, err := f.PutVideo(f.T.Context(), name, Source(f.T, f.T.TempDir(), []byte(content)))
	require.NoError(f.T, err)
}

// Listed returns the receipt entries of files with their current content.
func (f *Folder) Listed(names ...string) (files []store.ReceiptFile) {
	f.T.Helper()
	for _, name := range names {
		content, err := os.ReadFile(f.At(name))
		require.NoError(f.T, err)
		files = append(files, Listing(name, string(content)))
	}
	return files
}

// AddReceipt stores the receipt of a task with these files.
func (f *Folder) AddReceipt(task string, files ...store.ReceiptFile) {
	f.T.Helper()
	_, err := f.PutReceipt(f.T.Context(), store.ReceiptName("", task), store.Receipt{TaskID: task, Job: "job-" + task, Files: files})
	require.NoError(f.T, err)
}

// AddSource stores the copy of a source and adds it to the receipt of a task.
func (f *Folder) AddSource(task, content string) (name string) {
	f.T.Helper()
	name = store.SourceName("", task, ".mp4")
	f.Video(name, content)
	receipt, err := f.Receipt(f.T.Context(), store.ReceiptName("", task))
	require.NoError(f.T, err)
	receipt.Source = &store.ReceiptSource{ReceiptFile: &f.Listed(name)[0]}
	_, err = f.PutReceipt(f.T.Context(), store.ReceiptName("", task), receipt)
	require.NoError(f.T, err)
	return name
}

// At is the path of a file.
func (f *Folder) At(name string) string { return filepath.Join(f.Path, name) }

// Write writes a file without the store.
func (f *Folder) Write(name, content string) {
	f.T.Helper()
	require.NoError(f.T, os.WriteFile(f.At(name), []byte(content), 0o600))
}

// Remove removes a file without the store.
func (f *Folder) Remove(name string) {
	f.T.Helper()
	require.NoError(f.T, os.Remove(f.At(name)))
}

// Age sets the modification time of a file to an age ago.
func (f *Folder) Age(name string, age time.Duration) {
	f.T.Helper()
	then := time.Now().Add(-age)
	require.NoError(f.T, os.Chtimes(f.At(name), then, then))
}

// Hooked is a store with hooks, which are called before a file is opened or a
// receipt is read. A reader or an error of OnOpen replaces the file.
type Hooked struct {
	audit.Store
	OnOpen    func(name string) (io.ReadCloser, error)
	OnReceipt func(name string) error
}

// Open opens a file, or what OnOpen returns.
func (s Hooked) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if s.OnOpen != nil {
		if file, err := s.OnOpen(name); file != nil || err != nil {
			return file, err
		}
	}
	return s.Store.Open(ctx, name)
}

// Receipt reads a receipt unless OnReceipt fails.
func (s Hooked) Receipt(ctx context.Context, name string) (store.Receipt, error) {
	if s.OnReceipt != nil {
		if err := s.OnReceipt(name); err != nil {
			return store.Receipt{}, err
		}
	}
	return s.Store.Receipt(ctx, name)
}

// Endless is a file without an end.
type Endless struct{ Reads int }

// Read returns zeros.
func (e *Endless) Read(p []byte) (int, error) { e.Reads++; return len(p), nil }

// Close does nothing.
func (e *Endless) Close() error { return nil }
