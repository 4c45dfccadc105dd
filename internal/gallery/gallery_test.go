package gallery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/gallery"
	"lumaflow/internal/store"
	"lumaflow/test/storetest"
)

// get requests a page as a browser on this machine does.
func get(g http.Handler, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Host = "127.0.0.1:8088"
	for _, with := range change {
		with(request)
	}
	answer := httptest.NewRecorder()
	g.ServeHTTP(answer, request)
	return answer
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// open makes a gallery that has read the store.
func open(t *testing.T, from gallery.Store, options gallery.Options) *gallery.Gallery {
	t.Helper()
	g := gallery.New(t.Context(), from, options)
	require.NoError(t, g.Refresh(t.Context()))
	return g
}

// put stores a receipt with one video.
func put(t *testing.T, shelf *storetest.Folder, task, content string, change func(*store.Receipt)) {
	t.Helper()
	name := store.VideoName("", task, 1, ".mp4")
	shelf.Video(name, content)
	receipt := store.Receipt{TaskID: task, Job: "job-" + task, Files: shelf.Listed(name)}
	if change != nil {
		change(&receipt)
	}
	_, err := shelf.PutReceipt(t.Context(), store.ReceiptName("", task), receipt)
	require.NoError(t, err)
}

// shown are the prompts on a page of the sheet, in order.
func shown(t *testing.T, g http.Handler, path string) (prompts []string) {
	t.Helper()
	answer := get(g, path)
	require.Equal(t, http.StatusOK, answer.Code)
	for _, part := range strings.Split(answer.Body.String(), `<span class="prompt"><bdi>`)[1:] {
		prompt, _, _ := strings.Cut(part, "<")
		prompts = append(prompts, prompt)
	}
	return prompts
}

func TestFilter(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	day := func(n int) time.Time { return time.Date(2026, 11, n, 23, 30, 0, 0, time.UTC) }
	for i, prompt := range []string{"Snow on roofs", "snow and rain", "Ink"} {
		put(t, shelf, fmt.Sprint("t", i), "v", func(r *store.Receipt) {
			r.Prompt, r.CompletedAt = prompt, day(10+i)
			r.Model, r.Batch = []string{"", "aleph", "aleph"}[i], []string{"autumn", "", ""}[i]
		})
	}
	east := time.FixedZone("EAST", 3600)
	g := open(t, shelf, gallery.Options{Location: east})
	for query, want := range map[string][]string{
		"":                              {"Ink", "snow and rain", "Snow on roofs"},
		"q=SNOW":                        {"snow and rain", "Snow on roofs"},
		"q=rain+snow":                   {"snow and rain"},
		"q=job-t2":                      {"Ink"},
		"model=luma":                    {"Snow on roofs"},
		"model=aleph":                   {"Ink", "snow and rain"},
		"batch=autumn":                  {"Snow on roofs"},
		"from=2026-11-13":               {"Ink"},
		"to=2026-11-11":                 {"Snow on roofs"},
		"from=2026-11-12&to=2026-11-12": {"snow and rain"},
		"from=yesterday":                {"Ink", "snow and rain", "Snow on roofs"},
		"q=nothing":                     nil,
		"marked=star":                   {"Ink", "snow and rain", "Snow on roofs"},
		"names=luma_result_t2_1.mp4/luma_result_t0_1.mp4": {"Ink", "Snow on roofs"},
		"names=": nil,
	} {
		assert.Equal(t, want, shown(t, g, "/?"+query), query)
	}
	assert.Contains(t, get(g, "/").Body.String(), "13 Nov 2026, 00:30 EAST", "days are those of the location")
	compare := get(g, "/compare?v=luma_result_t1_1.mp4&model=aleph").Body.String()
	assert.Contains(t, compare, "2 of 2", "the place is that in the filtered sheet")
	assert.Contains(t, compare, `href="compare?model=aleph&amp;v=luma_result_t2_1.mp4"`)
}

func TestNewAndGoneResults(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	g := open(t, shelf, gallery.Options{Shown: "./videos"})
	empty := get(g, "/").Body.String()
	assert.Contains(t, empty, "No videos yet")
	assert.Contains(t, empty, "./videos")

	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Prompt = "first" })
	shelf.Write("luma_result_broken.json", "{")
	shelf.Write("luma_result_newer.json", `{"version":2,"taskId":"t"}`)
	require.NoError(t, g.Refresh(t.Context()))
	assert.Equal(t, []string{"first"}, shown(t, g, "/"))
	page := get(g, "/").Body.String()
	assert.Contains(t, page, "2 receipts can't be used")
	assert.Contains(t, page, "a newer lumaflow wrote it")
	assert.NotContains(t, page, shelf.Path)

	revision := get(g, "/state").Body.String()
	require.NoError(t, g.Refresh(t.Context()))
	assert.Equal(t, revision, get(g, "/state").Body.String(), "nothing has changed")
	shelf.Remove("luma_result_a_1.mp4")
	require.NoError(t, g.Refresh(t.Context()))
	assert.NotEqual(t, revision, get(g, "/state").Body.String())
	assert.Contains(t, get(g, "/").Body.String(), "The file is gone from the store")
	assert.Equal(t, http.StatusNotFound, get(g, "/media/luma_result_a_1.mp4").Code)
	assert.Contains(t, get(g, "/state?file=luma_result_a_1.mp4").Body.String(), `"file":"gone"`)

	require.NoError(t, os.RemoveAll(shelf.Path))
	require.Error(t, g.Refresh(t.Context()))
	page = get(g, "/").Body.String()
	assert.Contains(t, page, "The store can't be listed")
	assert.Contains(t, page, "first", "what was read stays")
}

// Run refreshes only while pages are requested.
func TestRun(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	g := gallery.New(t.Context(), shelf, gallery.Options{Interval: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); g.Run(ctx) }()
	put(t, shelf, "a", "video", nil)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.Contains(c, get(g, "/").Body.String(), "luma_result_a_1.mp4")
	}, 10*time.Second, time.Millisecond)
	cancel()
	<-ended
}

func TestSource(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	shelf.Video("luma_source_a.mp4", "source")
	kept := shelf.Listed("luma_source_a.mp4")[0]
	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Source = &store.ReceiptSource{ReceiptFile: &kept} })
	put(t, shelf, "b", "video", func(r *store.Receipt) { r.Source = &store.ReceiptSource{Missing: "kie.ai deleted it"} })
	put(t, shelf, "c", "video", func(r *store.Receipt) { r.SourceSHA256 = kept.SHA256 })
	g := open(t, shelf, gallery.Options{})
	page := func(task string) string { return get(g, "/compare?v=luma_result_"+task+"_1.mp4").Body.String() }
	assert.Contains(t, page("a"), `src="media/luma_source_a.mp4"`)
	assert.Equal(t, "source", get(g, "/media/luma_source_a.mp4").Body.String())
	assert.Contains(t, page("a"), `with=luma_result_c_1.mp4`, "c has the same source by its SHA-256")
	assert.NotContains(t, page("a"), `with=luma_result_b_1.mp4`)
	assert.Contains(t, page("b"), "The source could not be kept: kie.ai deleted it")
	assert.Contains(t, page("c"), "KEEP_SOURCE=true")
	assert.Contains(t, get(g, "/compare?job=job-b").Body.String(), `data-name="luma_result_b_1.mp4"`)
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, http.StatusNotFound, get(open(t, shelf, gallery.Options{}), "/compare?job=job-x").Code)
	})
	shelf.Remove("luma_source_a.mp4")
	require.NoError(t, g.Refresh(t.Context()))
	assert.Contains(t, page("a"), "The copy of the source is gone from the store")
}

// A file is served only if a receipt lists it as a video.
func TestOnlyListedVideos(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	shelf.Write("secret.txt", "secret")
	shelf.Write("unlisted.mp4", "secret")
	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Files = append(r.Files, shelf.Listed("secret.txt")...) })
	g := open(t, shelf, gallery.Options{})
	for _, path := range []string{
		"secret.txt", "unlisted.mp4", "luma_result_a.json", "..%2f..%2fetc%2fpasswd", "%2e%2e", "", ".", "luma_result_a_1.mp4%00", "x/../luma_result_a.json",
	} {
		for _, kind := range []string{"/media/", "/download/", "/receipt/"} {
			answer := get(g, kind+path)
			assert.NotEqual(t, http.StatusOK, answer.Code, kind+path)
			assert.NotContains(t, answer.Body.String(), "secret", kind+path)
		}
	}
	download := get(g, "/download/luma_result_a_1.mp4")
	assert.Equal(t, "attachment; filename=luma_result_a_1.mp4", download.Header().Get("Content-Disposition"))
	assert.Equal(t, "video", download.Body.String())
	ranged := get(g, "/media/luma_result_a_1.mp4", header("Range", "bytes=1-2"))
	assert.Equal(t, http.StatusPartialContent, ranged.Code)
	assert.Equal(t, "id", ranged.Body.String())
	assert.Equal(t, "bytes 1-2/5", ranged.Header().Get("Content-Range"))
}

// No page discloses the credentials of a source address, whatever wrote the receipt.
func TestNoSecretInPages(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", nil)
	content, err := os.ReadFile(shelf.At("luma_result_a.json"))
	require.NoError(t, err)
	shelf.Write("luma_result_a.json", strings.Replace(string(content), `"taskId"`, `"sourceUrl":"https://u:TOKEN@example.org/in.mp4?sig=TOKEN","callBackUrl":"TOKEN","taskId"`, 1))
	g := open(t, shelf, gallery.Options{Token: strings.Repeat("TOKEN", 10)})
	signed := header("Authorization", "Bearer "+strings.Repeat("TOKEN", 10))
	for _, path := range []string{"/", "/compare?v=luma_result_a_1.mp4", "/receipt/luma_result_a_1.mp4", "/state"} {
		answer := get(g, path, signed)
		require.Equal(t, http.StatusOK, answer.Code)
		assert.NotContains(t, answer.Body.String(), "TOKEN", path)
		assert.NotContains(t, fmt.Sprint(answer.Header()), "TOKEN", path)
	}
	assert.Contains(t, get(g, "/receipt/luma_result_a_1.mp4", signed).Body.String(), "https://example.org/in.mp4")
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", nil)
	g := open(t, shelf, gallery.Options{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "TRACE", "PROPFIND"} {
		answer := get(g, "/media/luma_result_a_1.mp4", func(r *http.Request) { r.Method = method })
		assert.Equal(t, http.StatusMethodNotAllowed, answer.Code, method)
		assert.Equal(t, "GET, HEAD", answer.Header().Get("Allow"))
	}
	head := get(g, "/media/luma_result_a_1.mp4", func(r *http.Request) { r.Method = http.MethodHead })
	assert.Equal(t, http.StatusOK, head.Code)
	assert.Equal(t, "5", head.Header().Get("Content-Length"))
	assert.Empty(t, head.Body.String())
	for _, path := range []string{"/", "/compare?v=luma_result_a_1.mp4", "/static/compare.js", "/nowhere", "/media/x"} {
		policy := get(g, path).Header().Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", path)
		assert.NotContains(t, policy, "unsafe", path)
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", nil)

	local := open(t, shelf, gallery.Options{})
	for name, want := range map[string]int{
		"localhost:8088": 200, "127.0.0.1:1": 200, "[::1]:8088": 200, "LOCALHOST": 200, "127.0.0.1": 200,
		"evil.example.org": 403, "evil.example.org:8088": 403, "": 403, "127.0.0.1.example.org": 403, "10.0.0.1:8088": 403,
	} {
		assert.Equal(t, want, get(local, "/", host(name)).Code, name)
		assert.Equal(t, want, get(local, "/media/luma_result_a_1.mp4", host(name)).Code, name)
	}

	guarded := open(t, shelf, gallery.Options{Token: token})
	for _, path := range []string{"/", "/media/luma_result_a_1.mp4", "/download/luma_result_a_1.mp4", "/receipt/luma_result_a_1.mp4", "/state", "/compare?v=luma_result_a_1.mp4"} {
		assert.Equal(t, http.StatusUnauthorized, get(guarded, path, host("gallery.example.org")).Code, path)
		assert.Equal(t, http.StatusUnauthorized, get(guarded, path, header("Authorization", "Bearer "+token[1:])).Code, path)
		assert.Equal(t, http.StatusOK, get(guarded, path, header("Authorization", "Bearer "+token)).Code, path)
	}
	assert.Equal(t, http.StatusUnauthorized, get(guarded, "/?token="+token[1:]).Code)
	assert.Equal(t, http.StatusOK, get(guarded, "/static/gallery.css").Code)
	assert.Equal(t, http.StatusOK, get(guarded, "/healthz").Code)

	link := get(guarded, "/compare?v=luma_result_a_1.mp4&token="+token)
	assert.Equal(t, http.StatusSeeOther, link.Code)
	assert.Equal(t, "./compare?v=luma_result_a_1.mp4", link.Header().Get("Location"))
	cookies := link.Result().Cookies()
	require.Len(t, cookies, 1)
	assert.True(t, cookies[0].HttpOnly)
	assert.Equal(t, http.SameSiteLaxMode, cookies[0].SameSite)
	assert.NotContains(t, cookies[0].String(), token)
	with := func(r *http.Request) { r.AddCookie(cookies[0]) }
	assert.Equal(t, http.StatusOK, get(guarded, "/", with).Code)
	other := open(t, shelf, gallery.Options{Token: token + "x"})
	assert.Equal(t, http.StatusUnauthorized, get(other, "/", with).Code)
	for _, path := range []string{"//evil.example.org/?token=" + token, "/%2f%2fevil.example.org?token=" + token, "/x/..//evil.example.org?token=" + token} {
		location := get(guarded, path).Header().Get("Location")
		target, err := (&url.URL{Scheme: "http", Host: "127.0.0.1:8088", Path: "/"}).Parse(location)
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1:8088", target.Host, "%s leads to %s", path, location)
	}
}

func TestTemporalUI(t *testing.T) {
	t.Parallel()
	shelf := storetest.NewFolder(t)
	put(t, shelf, "a", "video", func(r *store.Receipt) { r.Job, r.Run = "a/b?c#d", "run" })
	page := get(open(t, shelf, gallery.Options{TemporalUI: "https://ui.example.org/x/", Namespace: "films"}), "/compare?v=luma_result_a_1.mp4").Body.String()
	assert.Contains(t, page, `href="https://ui.example.org/x/namespaces/films/workflows/a%2Fb%3Fc%23d/run/history"`)
	assert.Contains(t, page, `lumaflow status -- &#39;a/b?c#d&#39;`)
	assert.NotContains(t, get(open(t, shelf, gallery.Options{}), "/compare?v=luma_result_a_1.mp4").Body.String(), "Temporal UI")
}

// large is a store of many receipts in memory.
type large int

func (n large) List(context.Context) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for i := range int(n) {
			if !yield(store.Entry{Name: fmt.Sprintf("luma_result_%05d.json", i), Bytes: 900}, nil) ||
				!yield(store.Entry{Name: fmt.Sprintf("luma_result_%05d_1.mp4", i), Bytes: 7}, nil) {
				return
			}
		}
	}
}

func (large) Receipt(_ context.Context, name string) (store.Receipt, error) {
	receipt := storetest.Receipt()
	var i int
	if _, err := fmt.Sscanf(name, "luma_result_%d.json", &i); err != nil {
		return receipt, err
	}
	receipt.TaskID, receipt.Prompt = fmt.Sprintf("%05d", i), strings.Repeat("a long prompt ", 20)+strconv.Itoa(i)
	receipt.CompletedAt = receipt.CompletedAt.Add(time.Duration(i) * time.Minute)
	receipt.Files[0].Name = fmt.Sprintf("luma_result_%05d_1.mp4", i)
	return receipt, nil
}

func (large) Open(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }

func TestTenThousandReceipts(t *testing.T) {
	const count = 10_000
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := heap()
	g := open(t, large(count), gallery.Options{})
	used := int64(heap()) - int64(before)
	assert.Less(t, used, int64(50<<20), "bytes of the index")
	best := time.Hour
	for range 5 {
		start := time.Now()
		page := shown(t, g, "/?page=2")
		best = min(best, time.Since(start))
		require.Len(t, page, 60)
		assert.True(t, strings.HasSuffix(page[0], " 9939"), page[0])
	}
	t.Logf("the index of %d receipts has %d kB; a page takes %s", count, used>>10, best)
	assert.Less(t, best, 300*time.Millisecond)
	assert.Len(t, shown(t, g, "/?page=167"), count-166*60)
	assert.Len(t, shown(t, g, "/?page=99999999999999999999"), count-166*60, "no such page: the nearest")
	assert.Contains(t, get(g, "/").Body.String(), "10,000 videos")
	runtime.KeepAlive(g)
}

// failing is a store whose receipts can't be read for a while.
type failing struct {
	large
	err error
}

func (f failing) Receipt(context.Context, string) (store.Receipt, error) {
	return store.Receipt{}, fmt.Errorf("read receipt x in /private/path: %w", f.err)
}

func TestUnreadableReceipts(t *testing.T) {
	t.Parallel()
	g := open(t, failing{2, errors.New("<b>no answer</b>")}, gallery.Options{})
	page := get(g, "/").Body.String()
	assert.Contains(t, page, "&lt;b&gt;no answer&lt;/b&gt;")
	assert.NotContains(t, page, "/private/path")

	var state struct{ Revision int }
	require.NoError(t, json.Unmarshal(get(g, "/state").Body.Bytes(), &state))
	assert.Positive(t, state.Revision)
}
