package audit_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

// lateList is a store whose list lags: it leaves out recent names and has removed
// ones.
type lateList struct {
	audit.Store
	without []string
	removed []store.Entry
}

func (s lateList) List(ctx context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		var entries []store.Entry
		for entry, err := range s.Store.List(ctx) {
			if err != nil {
				yield(entry, err)
				return
			}
			if !slices.Contains(s.without, entry.Name) {
				entries = append(entries, entry)
			}
		}
		for _, entry := range append(s.removed, entries...) {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// A list that lags behind the files causes no problem: receipts and files are read
// by their names.
func TestListLags(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		without []string
		removed []store.Entry
		files   int
		notes   []audit.Finding
	}{
		"it lacks a receipt": {without: []string{receipt}, files: 2},
		"it lacks a video":   {without: []string{video}, files: 2},
		"it lacks a task":    {without: []string{video, second, receipt}},
		"it has a removed video": {
			removed: []store.Entry{{Name: "luma_result_gone_1.mp4", Bytes: 5}}, files: 2,
			notes: []audit.Finding{{
				Kind: audit.Vanished, File: "luma_result_gone_1.mp4",
				Detail: "it has gone while the audit ran; there is no luma_result_gone.json",
			}},
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			folder := storetest.NewFolder(t)
			folder.Job("t", "video", "second")
			report := run(t, lateList{folder, test.without, test.removed})
			assert.Empty(t, report.Problems)
			assert.ElementsMatch(t, test.notes, report.Notes)
			assert.Equal(t, test.files, report.Files)
		})
	}
}
