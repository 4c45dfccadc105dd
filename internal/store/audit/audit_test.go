//go:build unix

package audit_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/internal/store/audit"
	"lumaflow/test/storetest"
)

func TestNoProblems(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	assert.Equal(t, audit.Report{Complete: true, Problems: []audit.Finding{}, Notes: []audit.Finding{}}, run(t, f))

	// More than one buffer, exactly one, and an empty file.
	f.Job("a", strings.Repeat("video", 200_000), strings.Repeat("x", 256<<10), "")
	f.Job("b")
	for i := range 50 {
		f.Job(fmt.Sprintf("c%d", i), fmt.Sprintf("video %d", i))
	}
	report := run(t, f)
	assert.Empty(t, report.Problems)
	assert.Empty(t, report.Notes)
	assert.Equal(t, 52, report.Receipts)
	assert.Equal(t, 53, report.Files)
	assert.Equal(t, int64(1_000_000+256<<10+50*len("video 1")+40), report.Bytes)
}

// An audit reports every problem and no other finding.
func TestProblems(t *testing.T) {
	t.Parallel()
	const video, receipt = "luma_result_t_1.mp4", "luma_result_t.json"
	// found is a problem with the listed video.
	found := func(kind audit.Kind, detail string) audit.Finding {
		return audit.Finding{Kind: kind, File: video, Receipt: receipt, TaskID: "t", Detail: detail}
	}
	const notFollowed = "it is not followed: a link, folder or device is there instead of a file"
	tests := []struct {
		name   string
		happen func(*storetest.Folder)
		want   []audit.Finding
	}{
		{"a video is missing", func(f *storetest.Folder) { f.Remove(video) },
			[]audit.Finding{found(audit.Missing, receipt+" lists it")}},
		{"a bit has flipped", func(f *storetest.Folder) { f.Write(video, "vidEo") },
			[]audit.Finding{found(audit.Changed, "its bytes are not those that were stored")}},
		{"a video has grown", func(f *storetest.Folder) { f.Write(video, "video and more") },
			[]audit.Finding{found(audit.Changed, "it has 14 bytes instead of 5")}},
		{"a video is cut", func(f *storetest.Folder) { f.Write(video, "vid") },
			[]audit.Finding{found(audit.Truncated, "3 of 5 bytes are there")}},
		{"a video is empty", func(f *storetest.Folder) { f.Write(video, "") },
			[]audit.Finding{found(audit.Truncated, "0 of 5 bytes are there")}},
		{"a link in place of a video", func(f *storetest.Folder) {
			require.NoError(f.T, os.Rename(f.At(video), f.At(".kept")))
			require.NoError(f.T, os.Symlink(".kept", f.At(video)))
		}, []audit.Finding{found(audit.NotAFile, notFollowed)}},
		{"a folder in place of a video", func(f *storetest.Folder) {
			f.Remove(video)
			require.NoError(f.T, os.Mkdir(f.At(video), 0o755))
		}, []audit.Finding{found(audit.NotAFile, notFollowed)}},
		{"a pipe in place of a video", func(f *storetest.Folder) {
			f.Remove(video)
			require.NoError(f.T, syscall.Mkfifo(f.At(video), 0o600))
		}, []audit.Finding{found(audit.NotAFile, notFollowed)}},
		{"an old video has no receipt", func(f *storetest.Folder) { f.Remove(receipt); f.Age(video, 25*time.Hour) },
			[]audit.Finding{{Kind: audit.Unlisted, File: video, Detail: "there is no " + receipt}}},
		{"a video from the future has no receipt", func(f *storetest.Folder) { f.Remove(receipt); f.Age(video, -25*time.Hour) },
			[]audit.Finding{{Kind: audit.Unlisted, File: video, Detail: "there is no " + receipt}}},
		{"an old video that its receipt leaves out", func(f *storetest.Folder) {
			f.Write("luma_result_t_2.mp4", "x")
			f.Age("luma_result_t_2.mp4", 25*time.Hour)
		}, []audit.Finding{{Kind: audit.Unlisted, File: "luma_result_t_2.mp4", Detail: receipt + " doesn't list it"}}},
		{"a foreign file", func(f *storetest.Folder) { f.Write("notes.json", "{}") },
			[]audit.Finding{{Kind: audit.Unlisted, File: "notes.json", Detail: "no receipt lists it"}}},
		{"a file with an invalid name", func(f *storetest.Folder) { f.Write("new\nline.mp4", "x") },
			[]audit.Finding{{Kind: audit.Unlisted, File: "new\nline.mp4", Detail: `no receipt lists it; "new\nline.mp4" is no plain file name`}}},
		{"an unlisted link", func(f *storetest.Folder) {
			require.NoError(f.T, os.Symlink("/etc/passwd", f.At("luma_result_p_1.mp4")))
		},
			[]audit.Finding{{Kind: audit.NotAFile, File: "luma_result_p_1.mp4", Detail: notFollowed}}},
		{"a link in place of a receipt", func(f *storetest.Folder) {
			require.NoError(f.T, os.Symlink("/etc/passwd", f.At("luma_result_p.json")))
		}, []audit.Finding{{Kind: audit.NotAFile, File: "luma_result_p.json", Detail: notFollowed}}},
		{"a receipt that is no JSON, and its video", func(f *storetest.Folder) { f.Write(receipt, "not JSON") },
			[]audit.Finding{
				{Kind: audit.BadReceipt, File: receipt, Detail: "it can't be read: it is not the JSON of a receipt: invalid character 'o' in literal null (expecting 'u')"},
				{Kind: audit.Unlisted, File: video, Detail: "its receipt " + receipt + " can't be read"},
			}},
		{"an empty receipt", func(f *storetest.Folder) { f.Write("luma_result_e.json", "") },
			[]audit.Finding{{Kind: audit.BadReceipt, File: "luma_result_e.json", Detail: "it can't be read: it is not the JSON of a receipt: unexpected end of JSON input"}}},
		{"a huge receipt", func(f *storetest.Folder) {
			f.Write("luma_result_h.json", `{"prompt":"`+strings.Repeat("x", 1<<20)+`"}`)
		},
			[]audit.Finding{{Kind: audit.BadReceipt, File: "luma_result_h.json", Detail: "it can't be read: it is over 1048576 bytes"}}},
		{"a receipt of a newer lumaflow", func(f *storetest.Folder) { f.Write("luma_result_n.json", `{"version":2,"taskId":"n"}`) },
			[]audit.Finding{{Kind: audit.BadReceipt, File: "luma_result_n.json", Detail: "it can't be read: version 2 is not 1: it is not a receipt, or a newer lumaflow wrote it"}}},
		{"a receipt that leads out of the folder", func(f *storetest.Folder) { f.Write("luma_result_o.json", forged(f.T, "o", "../../../etc/passwd")) },
			[]audit.Finding{{Kind: audit.BadReceipt, File: "luma_result_o.json", Detail: `it can't be read: "../../../etc/passwd" is no plain file name`}}},
		{"two receipts that agree", func(f *storetest.Folder) { f.AddReceipt("copy", f.Listed(video)...) },
			[]audit.Finding{{Kind: audit.Duplicate, File: video, Receipt: "luma_result_copy.json", Detail: "luma_result_copy.json and luma_result_t.json list it"}}},
		{"two receipts that disagree", func(f *storetest.Folder) { f.AddReceipt("other", listing(video, "other")) },
			[]audit.Finding{
				{Kind: audit.Changed, File: video, Receipt: "luma_result_other.json", TaskID: "other", Detail: "its bytes are not those that were stored"},
				{Kind: audit.Duplicate, File: video, Receipt: "luma_result_other.json", Detail: "luma_result_other.json and luma_result_t.json list it"},
			}},
		{"a receipt that contradicts itself", func(f *storetest.Folder) {
			f.AddReceipt("t", listing(video, "video"), listing(video, "vid"), listing(video, "video"))
		},
			[]audit.Finding{
				found(audit.Changed, "it has 5 bytes instead of 3"),
				{Kind: audit.Duplicate, File: video, Receipt: receipt, Detail: receipt + " lists it more than once"},
			}},
		{"many receipts for a missing file", func(f *storetest.Folder) {
			for _, task := range []string{"u", "v", "w"} {
				f.AddReceipt(task, listing(video, "video"))
			}
			f.Remove(video)
		}, []audit.Finding{
			{Kind: audit.Duplicate, File: video, Receipt: receipt, Detail: "luma_result_t.json, luma_result_u.json and 2 more list it"},
			found(audit.Missing, receipt+" lists it"),
		}},
		{"a receipt that lists itself", func(f *storetest.Folder) { f.AddReceipt("t", append(f.Listed(video), listing(receipt, "x"))...) },
			[]audit.Finding{{Kind: audit.Changed, File: receipt, Receipt: receipt, TaskID: "t", Detail: "it has 711 bytes instead of 1"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := storetest.NewFolder(t)
			f.Job("t", "video")
			f.Job("well", "unchanged")
			test.happen(f)
			before := everything(t, f.Path)
			report := run(t, f)
			assert.Equal(t, test.want, report.Problems)
			assert.Equal(t, before, everything(t, f.Path), "an audit changes nothing")
		})
	}
}

// Hidden files, folders and young videos without a receipt are not problems.
func TestNotes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		happen func(*storetest.Folder)
		want   []audit.Finding
	}{
		{"files that are being written", func(f *storetest.Folder) { f.Write(".lumaflow-ABCDEFGHIJKLMNOPQRSTUVWX27.tmp", "half a vid") }, []audit.Finding{}},
		{"hidden files", func(f *storetest.Folder) { f.Write(".DS_Store", "x") }, []audit.Finding{}},
		{"a young video without a receipt", func(f *storetest.Folder) {
			f.Video("luma_result_y_1.mp4", "young")
			f.Age("luma_result_y_1.mp4", time.Hour+time.Second/2)
		}, []audit.Finding{{Kind: audit.Pending, File: "luma_result_y_1.mp4", Detail: "stored 1h0m0s ago, its receipt may still come"}}},
		{"a young video that its receipt doesn't list yet", func(f *storetest.Folder) {
			f.Video("luma_result_t_2.mov", "young")
			f.Age("luma_result_t_2.mov", -time.Minute)
		}, []audit.Finding{{Kind: audit.Pending, File: "luma_result_t_2.mov", Detail: "stored 0s ago, its receipt may still come"}}},
		{"a folder", func(f *storetest.Folder) {
			require.NoError(f.T, os.MkdirAll(f.At("2025/old"), 0o755))
			f.Write("2025/luma_result_t.json", "not JSON")
		}, []audit.Finding{{Kind: audit.Folder, File: "2025/", Detail: "not looked into: audit it by itself"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := storetest.NewFolder(t)
			f.Job("t", "video")
			test.happen(f)
			report := run(t, f)
			assert.Empty(t, report.Problems)
			assert.Equal(t, test.want, report.Notes)
		})
	}
}

// A bucket may list the content of folders.
func TestFoldersOfABucket(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Job("t", "video")
	report := run(t, bucket{f, []store.Entry{{Name: "a/x.mp4", Bytes: 1}, {Name: "a/y/z.json", Bytes: 1}, {Name: "b/"}}})
	assert.Empty(t, report.Problems)
	assert.Equal(t, []audit.Finding{
		{Kind: audit.Folder, File: "a/", Detail: "not looked into: audit it by itself"},
		{Kind: audit.Folder, File: "b/", Detail: "not looked into: audit it by itself"},
	}, report.Notes)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	f := storetest.NewFolder(t)
	f.Job("t", strings.Repeat("v", 1<<20), "second")
	f.Write("unlisted.mp4", "is not read")
	f.Remove("luma_result_t_2.mp4")
	var mu sync.Mutex
	var last audit.Progress
	calls := 0
	_, err := audit.Run(t.Context(), f, audit.Options{OnProgress: func(reached audit.Progress) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		if reached.Bytes+int64(reached.Problems) >= last.Bytes+int64(last.Problems) {
			last = reached
		}
	}})
	require.NoError(t, err)
	assert.Equal(t, audit.Progress{Receipts: 1, AllReceipts: 1, Files: 2, Bytes: 1 << 20, AllBytes: 1 << 20, Problems: 2}, last)
	assert.Greater(t, calls, 5)
}

// forged is a receipt that a store would reject.
func forged(t testing.TB, task, file string) string {
	t.Helper()
	receipt, err := json.Marshal(store.Receipt{Version: 1, TaskID: task, Files: []store.ReceiptFile{listing(file, "x")}})
	require.NoError(t, err)
	return string(receipt)
}

// everything lists the entries of a folder with mode, size and time.
func everything(t *testing.T, path string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(path, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		if entry.IsDir() {
			all = append(all, path+"/")
			return nil
		}
		all = append(all, fmt.Sprint(path, info.Mode(), info.Size(), info.ModTime()))
		return nil
	}))
	return all
}
