package audit_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

// sequential is a store whose files can only be read in order, as in a bucket.
type sequential struct{ audit.Store }

func (s sequential) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	file, err := s.Store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{file, file}, nil
}

// A deep audit also reports files that were stored as they are and are no video.
func TestDeep(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join("../../media/testdata", name))
		require.NoError(t, err)
		return string(content)
	}
	f := storetest.NewFolder(t)
	f.Job("good", read("clip.mp4"), read("clip.mov"), read("corpus/fragments-unfinished.mp4"))
	f.Job("bad", read("field/bad-init-only.mp4"))
	assert.Empty(t, run(t, f).Problems)
	for name, s := range map[string]audit.Store{"folder": f, "bucket": sequential{f}} {
		report, err := audit.Run(t.Context(), s, audit.Options{Parallel: 2, Grace: grace, Deep: true})
		require.NoError(t, err)
		assert.Equal(t, []audit.Finding{{
			Kind: audit.NotAVideo, File: "luma_result_bad_1.mp4", Receipt: "luma_result_bad.json", TaskID: "bad",
			Detail: "its picture track has no samples",
		}}, report.Problems, name)
		assert.Equal(t, 4, report.Files)
		left, err := os.ReadDir(temporary)
		require.NoError(t, err)
		assert.Empty(t, left)
	}
}
