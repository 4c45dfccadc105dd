package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/test/compressed"
	"lumaflow/webhook"
)

var signedAt = time.Unix(1755078480, 0)

// FuzzWebhook checks the invariants of every request: a documented status, no
// redirect, no signal without the job's token, and no token in log and signal.
func FuzzWebhook(f *testing.F) {
	own := newFixture(f).path("a/b")
	for _, path := range []string{own, own + "/", "/" + own, "//callbacks/./luma/../x", "/healthz", "/%2e%2e/", own + "?x", "/callbacks/luma/" + own[len(own)-43:] + "/x", "/callbacks/luma/0" + own[len(own)-43:] + "0/x"} {
		f.Add(http.MethodPost, path, "application/json", "", "", "", []byte(success("t")))
	}
	timestamp, signature := kie.Sign(hmacKey, "t", signedAt)
	for _, body := range []string{
		"", "{}", "null", `{"taskId":1}`, `{"code":"200","data":{"task_id":"t"}}`, `{"code":500,"taskId":"t","data":null}`,
		`{"msg":` + fmt.Sprintf("%q", own) + `,"taskId":"t"}`, success(own), success(own[len(own)-43:]),
		`{"code":200,"data":{"taskId":"t","resultUrls":"[http://a/b.mp4]"}}`, strings.Repeat("[", 10_000),
	} {
		f.Add(http.MethodPost, own, "", "", timestamp, signature, []byte(body))
	}
	for coding, body := range map[string]string{
		"gzip": compressed.Gzip(success("t")), "": compressed.Gzip(success("t")), "deflate": compressed.Zlib(success("t")),
		"br": success("t"), "GZIP": compressed.Gzip(success("t"))[:40], "gzip, gzip": compressed.Gzip(compressed.Gzip(success("t"))),
		"x-gzip": compressed.Gzip(strings.Repeat(" ", 2<<20)), "deflate ": compressed.Zlib(strings.Repeat("[", 2<<20)),
	} {
		f.Add(http.MethodPost, own, "text/plain", coding, timestamp, signature, []byte(body))
	}
	f.Add("GET", own, "text/plain", "", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path, contentType, coding, timestamp, signature string, body []byte) {
		target, err := url.ParseRequestURI(path)
		if err != nil {
			t.Skip("net/http rejects the path")
		}
		unsigned, signed := newFixture(t), newFixture(t, signed(t), at(signedAt))
		for _, f := range []*fixture{unsigned, signed} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
			r.Method, r.URL, r.RequestURI = method, target, path
			r.Header.Set("Content-Type", contentType)
			r.Header.Set("Content-Encoding", coding)
			r.Header.Set(kie.TimestampHeader, timestamp)
			r.Header.Set(kie.SignatureHeader, signature)
			response := f.do(r)
			require.Contains(t, []int{200, 400, 401, 404, 405, 413, 415}, response.StatusCode)
			require.Empty(t, response.Header.Get("Location"))

			token := f.token("a/b")
			signals := f.temporal.recorded()
			if len(signals) > 0 {
				require.Equal(t, http.MethodPost, method)
				require.Contains(t, path, f.path(signals[0].job)[len(f.path(signals[0].job))-43:])
				require.NotContains(t, fmt.Sprint(signals), token)
				require.NotEmpty(t, signals[0].cb.TaskID)
			}
			require.NotContains(t, f.log.String(), token)
		}
	})
}

// BenchmarkWebhook measures the handler without the network.
func BenchmarkWebhook(b *testing.B) {
	for name, job := range map[string]func(n int64) string{
		"distinct":   func(n int64) string { return fmt.Sprintf("job-%d", n) },
		"duplicates": func(int64) string { return "job" },
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(b, func(options *webhook.Options) { options.Logger = nil })
			body := success("774d9a7dd608a0e49293903095e45a4c")
			var n atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if status := f.post(b, job(n.Add(1)), body).StatusCode; status != http.StatusOK {
						b.Errorf("answered %d", status)
					}
				}
			})
		})
	}
}
