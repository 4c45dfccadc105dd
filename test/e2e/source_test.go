package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/store"
	"lumaflow/test/mp4test"
)

// sourceHost serves a source video under /in.mp4. Its first response stops in the
// middle until its client is gone.
type sourceHost struct {
	*httptest.Server
	video []byte

	mu sync.Mutex
	// ranges are the Range headers of the requests.
	ranges []string
}

func newSourceHost(t *testing.T) *sourceHost {
	t.Helper()
	media := bytes.Repeat([]byte("lumaflow"), 1<<19)
	h := &sourceHost{video: mp4test.Movie{Duration: 10, Scale: 1, Width: 640, Height: 360, Media: media}.Bytes()}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /in.mp4", h.serve)
	routes.HandleFunc("GET /again.mp4", func(w http.ResponseWriter, r *http.Request) { h.whole(w, r) })
	routes.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html><title>Sign in</title>")) })
	h.Server = httptest.NewServer(routes)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	return h
}

func (h *sourceHost) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.ranges = append(h.ranges, r.Header.Get("Range"))
	first := len(h.ranges) == 1
	h.mu.Unlock()
	if !first {
		h.whole(w, r)
		return
	}
	w.Header().Set("ETag", `"source"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(h.video)))
	_, _ = w.Write(h.video[:3<<20])
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func (h *sourceHost) whole(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"source"`)
	http.ServeContent(w, r, "in.mp4", time.Time{}, bytes.NewReader(h.video))
}

// input is a job whose source is at a path of the host.
func (h *sourceHost) input(prompt, path string) string {
	text, _ := json.Marshal(map[string]string{"prompt": prompt, "videoUrl": h.URL + path + "?signature=secret"})
	return string(text)
}

// source is that of the receipt of a task.
func (w *world) source(taskID string) *store.ReceiptSource {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.output, "luma_result_"+taskID+".json"))
	require.NoError(w.t, err)
	require.NotContains(w.t, string(data), "secret")
	receipt, err := store.DecodeReceipt(bytes.NewReader(data))
	require.NoError(w.t, err)
	return receipt.Source
}

// KEEP_SOURCE stores the source beside the result. A killed worker's copy is resumed; a
// source that is gone, or none, is named in the receipt, and its job is done.
func TestKeepSource(t *testing.T) {
	t.Parallel()
	h := newSourceHost(t)
	w := enter(t, setup{env: []string{"KEEP_SOURCE=true"}})
	adopted := w.submitInput(h.input("source, adopted", "/again.mp4"))
	sum := sha256.Sum256(h.video)
	stored := func(taskID string) {
		name := "luma_source_" + taskID + ".mp4"
		kept := w.source(taskID)
		require.NotNil(t, kept)
		require.Empty(t, kept.Missing)
		require.Equal(t, store.ReceiptFile{
			Name: name, Location: "file://" + filepath.Join(w.output, name), URLHost: h.Listener.Addr().String(), ETag: `"source"`,
			Bytes: int64(len(h.video)), SHA256: hex.EncodeToString(sum[:]), Duration: "10s", Width: 640, Height: 360,
		}, *kept.ReceiptFile)
		copied, err := os.ReadFile(filepath.Join(w.output, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(h.video, copied))
	}

	const killed = "source, killed [fault: callback-late]"
	w.start("e2e-source-killed", h.input(killed, "/in.mp4"))
	// The checkpoint of a MiB is saved before the next MiB is written.
	w.until("a part is downloaded", func() bool { return w.downloaded() > 5<<19 })
	w.worker.kill()
	w.startWorker()
	for _, path := range []string{"/gone.mp4", "/page"} {
		w.start("e2e-source"+path[1:], h.input("source "+path, path))
	}
	w.start("e2e-source-adopted", `{"taskId":"`+adopted+`"}`)

	for path, reason := range map[string]string{
		"/gone.mp4": "download from " + h.Listener.Addr().String() + ": HTTP 404 Not Found",
		"/page":     "download from " + h.Listener.Addr().String() + `: HTTP 200 OK: an HTML page titled "Sign in" came instead of a video`,
	} {
		result, err := w.result("e2e-source" + path[1:])
		require.NoError(t, err)
		w.verified(result, w.charge("source "+path))
		require.Equal(t, &store.ReceiptSource{Missing: reason}, w.source(result.TaskID))
	}
	_, err := w.result("e2e-source-adopted")
	require.NoError(t, err)
	stored(adopted)
	result, err := w.result("e2e-source-killed")
	require.NoError(t, err)
	w.verified(result, w.charge(killed))
	stored(result.TaskID)
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Len(t, h.ranges, 2)
	require.Regexp(t, `^bytes=[1-9]\d+-$`, h.ranges[1], "the copy is resumed")

	report, got := audited(t, w.env, "--deep")
	require.Zero(t, got.code, got.err)
	require.Empty(t, report.Notes)
	require.Equal(t, 6, report.Files, "four results and two sources")
	require.NoError(t, os.Truncate(filepath.Join(w.output, "luma_source_"+adopted+".mp4"), 100))
	report, got = audited(t, w.env)
	require.Equal(t, 1, got.code)
	require.Len(t, report.Problems, 1)
	require.Equal(t, "luma_source_"+adopted+".mp4", report.Problems[0].File)
}
