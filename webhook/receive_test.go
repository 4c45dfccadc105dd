package webhook_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/test/compressed"
)

// unread is a body that fails the test when it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// Requests with one fault check each status, and requests with several faults the
// order of the checks.
func TestAnswers(t *testing.T) {
	padded := func(size int) string {
		body := success("t")
		return body + strings.Repeat(" ", size-len(body))
	}
	path := newFixture(t).path("j")
	forged := path[:len(path)-43] + strings.Repeat("A", 43)
	tests := []struct {
		name, method, path, contentType, coding, body string
		chunked                                       bool
		want                                          int
		answer                                        string
		signals                                       int
	}{
		{name: "callback", want: 200, answer: "received", signals: 1},
		{name: "parameters", contentType: "application/json; charset=utf-8", want: 200, signals: 1},
		{name: "broken parameters", contentType: "application/json; charset", want: 200, signals: 1},
		{name: "upper case", contentType: "Application/JSON", want: 200, signals: 1},
		{name: "no content type", contentType: "none", want: 200, signals: 1},
		{name: "query", path: path + "?a=b", want: 200, signals: 1},
		{name: "largest body", body: padded(kie.MaxBody), want: 200, signals: 1},
		{name: "largest body in chunks", body: padded(kie.MaxBody), chunked: true, want: 200, signals: 1},
		{name: "failure", body: `{"code":501,"msg":"failed","data":{"task_id":"t"}}`, want: 200, signals: 1},
		{name: "data is null", body: `{"code":400,"msg":"failed","taskId":"t","data":null}`, want: 200, signals: 1},
		{name: "no code", body: `{"taskId":"t"}`, want: 200, signals: 1},

		{name: "wrong token", path: forged, want: 401, answer: "unauthorized"},
		{name: "another job's token", path: strings.Replace(path, "/j/", "/k/", 1), want: 401},
		{name: "token and more", path: path + "A", want: 401},
		{name: "token cut", path: path[:len(path)-1], want: 401},
		{name: "token padded", path: path + "=", want: 401},
		{name: "escapes that decode to nothing", path: strings.Replace(path, "/j/", "/%C3%28/", 1), want: 401},

		{name: "not JSON", body: "taskId=t", want: 400},
		{name: "empty", body: "none", want: 400},
		{name: "cut short", body: success("t")[:40], want: 400},
		{name: "array", body: "[" + success("t") + "]", want: 400},
		{name: "two values", body: success("t") + success("t"), want: 400},
		{name: "no task id", body: `{"code":200,"data":{}}`, want: 400},
		{name: "blank task id", body: success(" "), want: 400},
		{name: "token as task id", body: success("x" + path[len(path)-43:]), want: 400},
		{name: "deep", body: strings.Repeat("[", 100_000), want: 400},

		{name: "JSON as a form", contentType: "application/x-www-form-urlencoded", want: 200, signals: 1},
		{name: "JSON as text", contentType: "text/plain", want: 200, signals: 1},
		{name: "JSON as a video", contentType: "video/mp4", want: 200, signals: 1},
		{name: "other JSON", contentType: "application/problem+json", want: 200, signals: 1},
		{name: "content type is noise", contentType: "\x00;;;", want: 200, signals: 1},
		{name: "UTF-16", body: "\xff\xfe{\x00\"\x00t\x00a\x00s\x00k\x00I\x00d\x00\"\x00:\x00\"\x00t\x00\"\x00}\x00", want: 200, signals: 1},

		{name: "form", contentType: "application/x-www-form-urlencoded", body: "taskId=t", want: 415},
		{name: "text", contentType: "text/plain", body: "taskId: t", want: 415},
		{name: "page", contentType: "text/html", body: "<title>Blocked</title>", want: 415},
		{name: "text without a label", contentType: "none", body: "taskId: t", want: 400},
		{name: "text as other JSON", contentType: "application/problem+json", body: "taskId: t", want: 400},
		{name: "JSON without a task id as text", contentType: "text/plain", body: "{}", want: 400},
		{name: "list as text", contentType: "text/plain", body: "[1]", want: 400},

		{name: "gzip", coding: "gzip", body: compressed.Gzip(success("t")), want: 200, signals: 1},
		{name: "gzip in upper case", coding: "GZIP", body: compressed.Gzip(success("t")), want: 200, signals: 1},
		{name: "gzip without a label", body: compressed.Gzip(success("t")), want: 200, signals: 1},
		{name: "gzip as its own type", contentType: "application/gzip", body: compressed.Gzip(success("t")), want: 200, signals: 1},
		{name: "gzip in two members", coding: "gzip", body: compressed.Gzip(success("t")[:20], success("t")[20:]), want: 200, signals: 1},
		{name: "gzip without its end", coding: "gzip", body: compressed.Gzip(success("t"))[:len(compressed.Gzip(success("t")))-8], want: 200, signals: 1},
		{name: "deflate", coding: "deflate", body: compressed.Zlib(success("t")), want: 200, signals: 1},
		{name: "labelled gzip and plain", coding: "gzip", want: 200, signals: 1},
		{name: "labelled br and plain", coding: "br", want: 200, signals: 1},
		{name: "largest body in gzip", coding: "gzip", body: compressed.Gzip(padded(kie.MaxBody)), want: 200, signals: 1},
		{name: "gzip of no JSON", coding: "gzip", body: compressed.Gzip("taskId=t"), want: 400},
		{name: "gzip cut short", coding: "gzip", body: compressed.Gzip(success("t"))[:60], want: 400},
		{name: "gzip header alone", coding: "gzip", body: "\x1f\x8b\x08", want: 400},
		{name: "gzip bomb", coding: "gzip", body: compressed.Gzip(success("t") + strings.Repeat(" ", 100<<20)), want: 413, answer: "too large"},
		{name: "one byte too much in gzip", coding: "gzip", body: compressed.Gzip(padded(kie.MaxBody + 1)), want: 413},
		{name: "deflate bomb", coding: "deflate", body: compressed.Zlib(strings.Repeat(" ", 10<<20)), want: 413},

		{name: "too large", body: padded(kie.MaxBody + 1), want: 413, answer: "too large"},
		{name: "too large in chunks", body: padded(kie.MaxBody + 1), chunked: true, want: 413},

		{name: "get", method: http.MethodGet, want: 405, answer: "method not allowed"},
		{name: "head", method: http.MethodHead, want: 405},
		{name: "put", method: http.MethodPut, want: 405},
		{name: "options", method: http.MethodOptions, want: 405},
		{name: "unknown method", method: "BREW", want: 405},
		{name: "lower case", method: "post", want: 405},
		{name: "another path", path: "/", want: 404, answer: "not found"},

		{name: "method before size", method: http.MethodPut, body: padded(kie.MaxBody + 1), want: 405},
		{name: "method before token", method: http.MethodGet, path: forged, want: 405},
		{name: "size before token", path: forged, body: padded(kie.MaxBody + 1), want: 413},
		{name: "size before token in chunks", path: forged, body: padded(kie.MaxBody + 1), chunked: true, want: 413},
		{name: "token before content type", path: forged, contentType: "text/plain", want: 401},
		{name: "token before JSON", path: forged, body: "none", want: 401},
		{name: "token before coding", path: forged, coding: "gzip", body: compressed.Gzip(padded(kie.MaxBody + 1)), want: 401},
		{name: "empty with another content type", contentType: "text/plain", body: "none", want: 415},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t)
			method, target, body := test.method, test.path, test.body
			if method == "" {
				method = http.MethodPost
			}
			if target == "" {
				target = path
			}
			switch body {
			case "":
				body = success("t")
			case "none":
				body = ""
			}
			r := newRequest(t, method, target, body)
			switch test.contentType {
			case "":
			case "none":
				r.Header.Del("Content-Type")
			default:
				r.Header.Set("Content-Type", test.contentType)
			}
			if test.coding != "" {
				r.Header.Set("Content-Encoding", test.coding)
			}
			if test.chunked {
				r.ContentLength = -1
			}
			response := f.do(r)
			requireAnswer(t, response, test.want, test.answer)
			assert.Len(t, f.temporal.recorded(), test.signals)
			if test.want == http.StatusMethodNotAllowed {
				assert.Equal(t, "POST", response.Header.Get("Allow"))
			}
			assert.NotContains(t, f.log.String(), f.token("j"))
		})
	}
}

func TestDeclaredSizeIsRejectedUnread(t *testing.T) {
	f := newFixture(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, f.path("j"), unread{t})
	r.ContentLength = kie.MaxBody + 1
	requireAnswer(t, f.do(r), 413, "too large")
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestIncompleteBody(t *testing.T) {
	f := newFixture(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, f.path("j"),
		io.MultiReader(strings.NewReader(success("t")), broken{}))
	requireAnswer(t, f.do(r), 400, "incomplete body")
	assert.Empty(t, f.temporal.recorded())
}

func TestSignatures(t *testing.T) {
	now := time.Unix(1755078480, 0)
	sign := func(id string, at time.Time) []string {
		timestamp, signature := kie.Sign(hmacKey, id, at)
		return []string{timestamp, signature}
	}
	const two = `{"code":200,"taskId":"top","data":{"taskId":"t","task_id":"other"}}`
	tests := []struct {
		name    string
		body    string
		headers []string // timestamp, signature
		want    int
		taskID  string
	}{
		{name: "signed", headers: sign("t", now), want: 200, taskID: "t"},
		// Computed with openssl, independent of kie.Sign.
		{
			name: "known vector", body: success("774d9a7dd608a0e49293903095e45a4c"), want: 200, taskID: "774d9a7dd608a0e49293903095e45a4c",
			headers: []string{"1755078480", "zqgV4cMp+Ui+SoYodzD74znhyJDMjeH6+qHvimGk5x4="},
		},
		{name: "the signed one of three ids", body: two, headers: sign("other", now), want: 200, taskID: "other"},
		{name: "the last of three ids", body: two, headers: sign("top", now), want: 200, taskID: "top"},
		{name: "oldest", headers: sign("t", now.Add(-5*time.Minute)), want: 200, taskID: "t"},
		{name: "clock ahead", headers: sign("t", now.Add(5*time.Minute)), want: 200, taskID: "t"},
		{name: "replayed too late", headers: sign("t", now.Add(-5*time.Minute-time.Second)), want: 401},
		{name: "from the future", headers: sign("t", now.Add(5*time.Minute+time.Second)), want: 401},
		{name: "unsigned", want: 401},
		{name: "another task's", headers: sign("u", now), want: 401},
		{name: "none of three ids", body: two, headers: sign("u", now), want: 401},
		{name: "timestamp moved", headers: []string{strconv.FormatInt(now.Unix()+1, 10), sign("t", now)[1]}, want: 401},
		{name: "timestamp is no number", headers: []string{"now", sign("t", now)[1]}, want: 401},
		{name: "no signature", headers: []string{sign("t", now)[0], ""}, want: 401},
		{name: "JSON before signature", body: "{}", want: 400},
		// The signature covers task id and timestamp, so that no coding affects it.
		{name: "signed and compressed", body: compressed.Gzip(success("t")), headers: sign("t", now), want: 200, taskID: "t"},
		{name: "another task's, compressed", body: compressed.Gzip(success("t")), headers: sign("u", now), want: 401},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, signed(t), at(now))
			if test.body == "" {
				test.body = success("t")
			}
			r := newRequest(t, http.MethodPost, f.path("j"), test.body)
			if test.headers != nil {
				r.Header.Set("X-Webhook-Timestamp", test.headers[0])
				r.Header.Set("X-Webhook-Signature", test.headers[1])
			}
			response := f.do(r)
			requireAnswer(t, response, test.want, "")
			if test.want != http.StatusOK {
				assert.Empty(t, f.temporal.recorded())
				return
			}
			require.Len(t, f.temporal.recorded(), 1)
			assert.Equal(t, test.taskID, f.temporal.recorded()[0].cb.TaskID)
		})
	}
}

func TestUnauthorizedRevealsNothing(t *testing.T) {
	f := newFixture(t, signed(t))
	bodies := map[string]bool{}
	path := f.path("j")
	for _, target := range []string{path, path[:len(path)-1], "/callbacks/luma/no-such-job/x"} {
		body, err := io.ReadAll(f.do(newRequest(t, http.MethodPost, target, success("t"))).Body)
		require.NoError(t, err)
		bodies[string(body)] = true
	}
	assert.Equal(t, map[string]bool{`{"status":"unauthorized"}`: true}, bodies)
}

func TestFirstTaskIDWithoutSignatures(t *testing.T) {
	f := newFixture(t)
	requireAnswer(t, f.post(t, "j", `{"taskId":"top","data":{"task_id":"inner"}}`), 200, "received")
	assert.Equal(t, "inner", f.temporal.recorded()[0].cb.TaskID)
}
