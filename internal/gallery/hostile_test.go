package gallery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/gallery"
	"lumaflow/internal/store"
	"lumaflow/test/storetest"
)

// Links and other irregular files are not served, even if a receipt lists them.
func TestIrregularFiles(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", nil)
	outside := filepath.Join(t.TempDir(), "outside.mp4")
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	shelf.Write("inside.txt", "secret")
	require.NoError(t, os.Symlink(outside, shelf.At("luma_result_out_1.mp4")))
	require.NoError(t, os.Symlink("inside.txt", shelf.At("luma_result_in_1.mp4")))
	require.NoError(t, os.Mkdir(shelf.At("luma_result_folder_1.mp4"), 0o700))
	require.NoError(t, syscall.Mkfifo(shelf.At("luma_result_pipe_1.mp4"), 0o600))
	for _, task := range []string{"out", "in", "folder", "pipe"} {
		for _, bytes := range []int64{0, 6} {
			listed := storetest.Listing("luma_result_"+task+"_1.mp4", "secret")
			listed.Bytes = bytes
			shelf.AddReceipt(task, listed)
			g := open(t, shelf, gallery.Options{})
			assert.Contains(t, get(g, "/").Body.String(), listed.Name)
			for _, kind := range []string{"/media/", "/download/"} {
				answer := get(g, kind+listed.Name)
				assert.Equal(t, http.StatusNotFound, answer.Code, kind+listed.Name)
				assert.NotContains(t, answer.Body.String(), "secret")
			}
			assert.Contains(t, get(g, "/state?file="+listed.Name).Body.String(), `"file":"gone"`)
			assert.Equal(t, http.StatusOK, get(g, "/compare?v="+listed.Name).Code)
		}
	}
	// A receipt that is a link.
	shelf.Write("receipt.txt", `{"version":1,"taskId":"linked","prompt":"linked","files":[]}`)
	require.NoError(t, os.Symlink("receipt.txt", shelf.At("luma_result_linked.json")))
	page := get(open(t, shelf, gallery.Options{}), "/").Body.String()
	assert.Contains(t, page, "1 receipt can't be used")
	assert.NotContains(t, page, ">linked<")
}

// A receipt that can't be used does not hide the others.
func TestHostileReceipts(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Prompt = "usable" })
	sum := strings.Repeat("5a", 32)
	names := []string{
		"../luma_result_x_1.mp4", "/etc/passwd.mp4", "a/../../b.mp4", `..\x.mp4`, "x\x00.mp4", "x\n.mp4", ".hidden.mp4", "", strings.Repeat("x", 300) + ".mp4",
	}
	for i, name := range names {
		encoded, err := json.Marshal(map[string]any{"version": 1, "taskId": "t", "files": []any{map[string]any{"name": name, "sha256": sum}}})
		require.NoError(t, err)
		shelf.Write(fmt.Sprintf("luma_result_bad%d.json", i), string(encoded))
	}
	shelf.Write("luma_result_large.json", `{"version":1,"taskId":"t","prompt":"`+strings.Repeat("x", 10<<20)+`"}`)
	shelf.Write("luma_result_deep.json", strings.Repeat("[", 1<<19))
	shelf.Write("luma_result_null.json", "null")
	shelf.Write("luma_result_bytes.json", "\xff\x00")
	g := open(t, shelf, gallery.Options{})
	page := get(g, "/").Body.String()
	assert.Equal(t, []string{"usable"}, shown(t, g, "/"))
	assert.Contains(t, page, fmt.Sprintf("%d receipts can't be used", len(names)+4))
	assert.Contains(t, page, "it is over 1048576 bytes")
	for _, name := range names {
		for _, kind := range []string{"/media/", "/download/", "/receipt/"} {
			assert.NotEqual(t, http.StatusOK, get(g, kind+url.PathEscape(name)).Code, "%q", name)
		}
	}
}

// Texts of a receipt are cut in memory and in a page. The videos of one share them.
func TestLongReceipt(t *testing.T) {
	shelf := storetest.NewFolder(t)
	long := strings.Repeat("ä<", 40_000)
	put(t, shelf, "a", "video", func(r *store.Receipt) {
		r.Prompt, r.Model, r.Batch, r.Job, r.Run, r.SourceURL = long, long, long, long, long, "https://example.org/"+strings.Repeat("x", 80_000)
		r.SourceSHA256, r.Source = long, &store.ReceiptSource{Missing: long}
		for i := range 99 {
			file := r.Files[0]
			file.Name = fmt.Sprintf("luma_result_a_%d.mp4", i+2)
			r.Files = append(r.Files, file)
		}
	})
	heap := func() int64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := heap()
	g := open(t, shelf, gallery.Options{})
	assert.Less(t, heap()-before, int64(1<<20), "bytes of the index")
	assert.Less(t, get(g, "/").Body.Len(), 5<<20)
	assert.Less(t, get(g, "/compare?v=luma_result_a_1.mp4").Body.Len(), 400<<10)
	assert.Len(t, shown(t, g, "/?q=result_a_77+%C3%A4"), 1, "the name is searched too")
}

// A receipt that is replaced by one of the same size is read again.
func TestReplacedReceipt(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Prompt = "before" })
	shelf.Age("luma_result_a.json", time.Hour)
	g := open(t, shelf, gallery.Options{})
	assert.Equal(t, []string{"before"}, shown(t, g, "/"))
	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Prompt = "after." })
	require.NoError(t, g.Refresh(t.Context()))
	assert.Equal(t, []string{"after."}, shown(t, g, "/"))
}

// Several ranges are answered by the whole file: each would be a request to a bucket.
func TestManyRanges(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "0123456789", nil)
	g := open(t, shelf, gallery.Options{})
	for given, want := range map[string]struct {
		status int
		body   string
	}{
		"bytes=0-0,2-2": {http.StatusOK, "0123456789"},
		"bytes=" + strings.Repeat("0-0,", 10_000) + "1-1": {http.StatusOK, "0123456789"},
		"bytes=8-99999999999999999":                       {http.StatusPartialContent, "89"},
		"bytes=-99999":                                    {http.StatusPartialContent, "0123456789"},
		"bytes=99-":                                       {http.StatusRequestedRangeNotSatisfiable, ""},
		"bytes=x-y":                                       {http.StatusRequestedRangeNotSatisfiable, ""},
	} {
		answer := get(g, "/media/luma_result_a_1.mp4", header("Range", given))
		assert.Equal(t, want.status, answer.Code, "%.30s", given)
		if want.body != "" {
			assert.Equal(t, want.body, answer.Body.String(), "%.30s", given)
		}
	}
}

// closed is a store whose videos can't be opened for a while.
type closed struct{ *storetest.Folder }

func (closed) Open(context.Context, string) (io.ReadCloser, error) {
	return nil, errors.New("no answer from a host with a secret name")
}

// A store that fails is not taken for one that has lost the file.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", nil)
	g := open(t, closed{shelf}, gallery.Options{})
	answer := get(g, "/media/luma_result_a_1.mp4")
	assert.Equal(t, http.StatusBadGateway, answer.Code)
	assert.NotContains(t, answer.Body.String(), "secret")
	assert.Contains(t, get(g, "/state?file=luma_result_a_1.mp4").Body.String(), `"file":"unreadable"`)
	assert.Contains(t, get(open(t, shelf, gallery.Options{}), "/state?file=luma_result_a_1.mp4").Body.String(), `"file":"there"`)

	g = gallery.New(t.Context(), shelf, gallery.Options{})
	require.NoError(t, os.RemoveAll(shelf.Path))
	require.Error(t, g.Refresh(t.Context()))
	page := get(g, "/").Body.String()
	assert.Contains(t, page, "The store can't be listed")
	assert.NotContains(t, page, "No videos yet")
}

// deadlines records the deadlines of an answer.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// Each write of a video has its own deadline, later than the server's for a page.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", strings.Repeat("x", 200<<10), nil)
	g := open(t, shelf, gallery.Options{})
	for path, want := range map[string]bool{"/": false, "/receipt/luma_result_a_1.mp4": false, "/media/luma_result_a_1.mp4": true, "/download/luma_result_a_1.mp4": true} {
		request := httptest.NewRequest(http.MethodGet, path, nil)
		request.Host = "localhost"
		answer := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		g.ServeHTTP(answer, request)
		require.Equal(t, http.StatusOK, answer.Code)
		if !want {
			assert.Empty(t, answer.set, path)
			continue
		}
		assert.Greater(t, len(answer.set), 3, "one for each part of %s", path)
		for _, at := range answer.set {
			assert.Greater(t, time.Until(at), 2*time.Minute, path)
		}
	}
}
