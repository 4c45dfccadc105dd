package audit_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/store"
	storeaudit "lumaflow/internal/store/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	grace = 24 * time.Hour
	// video is the name of the first video of task t.
	video = "luma_result_t_1.mp4"
)

// folder is a store in a temporary folder.
type folder struct {
	store.Store
	t    *testing.T
	path string
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	path := t.TempDir()
	opened, err := store.Open(t.Context(), path)
	require.NoError(t, err)
	return &folder{opened, t, path}
}

// job stores the one video of a task and its receipt.
func (f *folder) job(task, content string) {
	f.t.Helper()
	name := store.VideoName("", task, 1, ".mp4")
	f.video(name, content)
	_, err := f.PutReceipt(f.t.Context(), store.ReceiptName("", task), store.Receipt{TaskID: task, Job: "job-" + task, Files: []store.ReceiptFile{
		{Name: name, Bytes: int64(len(content)), SHA256: sum(content)},
	}})
	require.NoError(f.t, err)
}

// video publishes a video without a receipt.
func (f *folder) video(name, content string) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "part")
	require.NoError(f.t, os.WriteFile(path, []byte(content), 0o600))
	_, err := f.PutVideo(f.t.Context(), name, store.Source{Path: path, Bytes: int64(len(content)), SHA256: sum(content)})
	require.NoError(f.t, err)
}

func sum(content string) string {
	digest := sha256.Sum256([]byte(content))
	return hex.EncodeToString(digest[:])
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

// intercepted calls onOpen before a file is opened. A reader or an error that it
// returns takes the place of the file.
type intercepted struct {
	storeaudit.Store
	onOpen func(name string) (io.ReadCloser, error)
}

func (s intercepted) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	if file, err := s.onOpen(name); file != nil || err != nil {
		return file, err
	}
	return s.Store.Open(ctx, name)
}

// endless is a file without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error               { return nil }
