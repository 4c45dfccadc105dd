package audit_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

const source = "luma_source_t.mp4"

// The copy of a source is verified like a video. Without a receipt it is no problem:
// its job may have ended without a video.
func TestSource(t *testing.T) {
	t.Parallel()
	unused := func(detail string) []audit.Finding {
		return []audit.Finding{{Kind: audit.Unused, File: source, Detail: detail + ": its job stored no video, or not this copy of its source"}}
	}
	tests := []struct {
		name     string
		happen   func(*storetest.Folder)
		files    int
		problems []audit.Finding
		notes    []audit.Finding
	}{
		{name: "as stored", happen: func(*storetest.Folder) {}, files: 2},
		{name: "truncated", happen: func(f *storetest.Folder) { f.Write(source, "sour") }, files: 2, problems: []audit.Finding{{
			Kind: audit.Truncated, File: source, Receipt: receipt, TaskID: "t", Detail: "4 of 6 bytes are there",
		}}},
		{name: "changed", happen: func(f *storetest.Folder) { f.Write(source, "sourcE") }, files: 2, problems: []audit.Finding{{
			Kind: audit.Changed, File: source, Receipt: receipt, TaskID: "t", Detail: "its bytes are not those that were stored",
		}}},
		{name: "gone", happen: func(f *storetest.Folder) { f.Remove(source) }, files: 2, problems: []audit.Finding{{
			Kind: audit.Missing, File: source, Receipt: receipt, TaskID: "t", Detail: receipt + " lists it",
		}}},
		{name: "without a receipt", happen: func(f *storetest.Folder) { f.Remove(receipt); f.Remove(video); f.Age(source, 48*time.Hour) },
			notes: unused("there is no " + receipt)},
		{name: "young, without a receipt", happen: func(f *storetest.Folder) { f.Remove(receipt); f.Remove(video) },
			notes: []audit.Finding{{Kind: audit.Pending, File: source, Detail: "stored 0s ago, its receipt may still come"}}},
		{name: "missing in the receipt", happen: func(f *storetest.Folder) {
			listed, err := f.Receipt(f.T.Context(), receipt)
			require.NoError(f.T, err)
			listed.Source = &store.ReceiptSource{Missing: "it was late"}
			_, err = f.PutReceipt(f.T.Context(), receipt, listed)
			require.NoError(f.T, err)
			f.Age(source, 48*time.Hour)
		}, files: 1, notes: unused(receipt + " doesn't list it")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := storetest.NewFolder(t)
			f.Job("t", "video")
			require.Equal(t, source, f.AddSource("t", "source"))
			test.happen(f)
			report := run(t, f)
			assert.ElementsMatch(t, test.problems, report.Problems)
			assert.ElementsMatch(t, test.notes, report.Notes)
			assert.Equal(t, test.files, report.Files)
		})
	}
}

// A receipt that is written during the audit lists its source.
func TestSourceListedDuringTheAudit(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Job("w", "all is well")
	f.Job("t", "video")
	f.AddSource("t", "source")
	f.Remove(receipt)
	f.Age(source, 48*time.Hour)
	report := run(t, storetest.Hooked{Store: f, OnOpen: func(name string) (io.ReadCloser, error) {
		if name == "luma_result_w_1.mp4" {
			f.AddReceipt("t", listing(video, "video"))
			f.AddSource("t", "source")
		}
		return nil, nil
	}})
	assert.Empty(t, report.Problems)
	assert.Empty(t, report.Notes)
	assert.Equal(t, 3, report.Files)
}

// A deep audit inspects sources, which may be AVI.
func TestDeepSource(t *testing.T) {
	t.Parallel()
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join("../../media/testdata", name))
		require.NoError(t, err)
		return string(content)
	}
	f := storetest.NewFolder(t)
	for task, content := range map[string]string{"mp4": read("clip.mp4"), "avi": read("field/good.avi"), "t": "no video"} {
		f.Job(task, read("clip.mp4"))
		f.AddSource(task, content)
	}
	report, err := audit.Run(t.Context(), f, audit.Options{Parallel: 2, Grace: grace, Deep: true})
	require.NoError(t, err)
	require.Len(t, report.Problems, 1)
	assert.Equal(t, audit.NotAVideo, report.Problems[0].Kind)
	assert.Equal(t, source, report.Problems[0].File)
}
