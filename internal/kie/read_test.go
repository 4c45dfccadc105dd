package kie_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

// reads are the calls that share the retry policy.
var reads = map[string]func(context.Context, *kie.Client) error{
	"record-info": func(ctx context.Context, client *kie.Client) error {
		_, err := client.Record(ctx, "", taskID)
		return err
	},
	"download-url": func(ctx context.Context, client *kie.Client) error {
		_, err := client.DownloadURL(ctx, "https://cdn.example/v.mp4?Signature=abc")
		return err
	},
	"credit": func(ctx context.Context, client *kie.Client) error {
		_, err := client.Credit(ctx)
		return err
	},
}

// runRead makes a read with canned answers on a fake clock.
func runRead(t *testing.T, call func(context.Context, *kie.Client) error, all ...reply) (requests int, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, kie.Options{Transport: replies(&requests, all...)})
		begin := time.Now()
		err = call(t.Context(), client)
		took = time.Since(begin)
	})
	return requests, took, err
}

var readClasses = map[int]kie.Class{
	200: kie.Temporary, // without content; a record is NotFound
	400: kie.Refused, 401: kie.Temporary, 402: kie.Temporary, 403: kie.Temporary, 404: kie.NotFound, 405: kie.Refused,
	408: kie.Temporary, 413: kie.Refused, 418: kie.Refused, 422: kie.NotFound, 429: kie.Temporary, 433: kie.Temporary,
	451: kie.Refused, 455: kie.Temporary,
	500: kie.Temporary, 502: kie.Temporary, 505: kie.Refused, 531: kie.Temporary, 550: kie.Temporary,
	0: kie.Temporary, -7: kie.Temporary, 201: kie.Temporary, 10001: kie.Temporary,
}

func TestReadCodes(t *testing.T) {
	for op, call := range reads {
		for code, class := range readClasses {
			for _, status := range []int{200, 400} {
				t.Run(fmt.Sprintf("%s code %d under %d", op, code, status), func(t *testing.T) {
					_, _, err := runRead(t, call, reply{status: status, body: fmt.Sprintf(`{"code":%d,"msg":"text","data":null}`, code)})
					failed := requireError(t, err)
					want := class
					if op == "record-info" && code == 200 && status == 200 {
						want = kie.NotFound
					}
					assert.Equal(t, want, failed.Class, failed)
					assert.Equal(t, code, failed.Code)
					assert.Equal(t, "text", failed.Message)
					assert.Equal(t, op, failed.Op)
				})
			}
			t.Run(fmt.Sprintf("%s code %d under 503", op, code), func(t *testing.T) {
				_, _, err := runRead(t, call, reply{status: 503, body: fmt.Sprintf(`{"code":%d}`, code)})
				assert.Equal(t, kie.Temporary, requireError(t, err).Class)
			})
		}
	}
}

// Only an answer of kie.ai itself proves that there is no record.
func TestReadStatuses(t *testing.T) {
	for op, call := range reads {
		for status, class := range readClasses {
			if status < 400 || status > 599 {
				continue
			}
			if class == kie.NotFound || status == 505 {
				class = kie.Temporary
			}
			t.Run(fmt.Sprintf("%s %d", op, status), func(t *testing.T) {
				for _, body := range []string{"", "<html>", `{"error":"Not Found"}`} {
					_, _, err := runRead(t, call, reply{status: status, body: body})
					assert.Equal(t, class, requireError(t, err).Class, err)
				}
			})
		}
	}
}

func TestReadUnreadableAnswers(t *testing.T) {
	bodies := map[string]string{
		"empty": "", "html": "<html>", "half": `{"code":200,"data":{"taskId"`, "number": "7", "null": "null",
		"too large": `{"code":200,"data":"` + strings.Repeat("x", kie.MaxBody) + `"}`,
		"deep":      strings.Repeat("[", 500_000),
	}
	for op, call := range reads {
		for name, body := range bodies {
			t.Run(op+" "+name, func(t *testing.T) {
				requests, _, err := runRead(t, call, reply{status: 200, body: body})
				assert.Equal(t, kie.Temporary, requireError(t, err).Class)
				assert.Equal(t, 3, requests)
			})
		}
	}
}

func TestReadRetries(t *testing.T) {
	good := map[string]reply{
		"record-info":  {status: 200, body: `{"code":200,"data":{"taskId":"` + taskID + `","successFlag":0}}`},
		"download-url": {status: 200, body: `{"code":200,"data":"https://cdn.example/v.mp4"}`},
		"credit":       {status: 200, body: `{"code":200,"data":1}`},
	}
	retryAfter := func(seconds string) reply {
		return reply{status: 503, header: http.Header{"Retry-After": {seconds}}}
	}
	tests := map[string]struct {
		first    reply
		requests int
		atLeast  time.Duration
		atMost   time.Duration
	}{
		"server error":        {reply{status: 500}, 2, 200 * time.Millisecond, time.Second},
		"error under 200":     {reply{status: 200, body: `{"code":500}`}, 2, 200 * time.Millisecond, time.Second},
		"half an answer":      {reply{status: 200, body: `{"code":`}, 2, 200 * time.Millisecond, time.Second},
		"short Retry-After":   {retryAfter("2"), 2, 2 * time.Second, 2 * time.Second},
		"long Retry-After":    {retryAfter("3"), 1, 0, 0},
		"endless Retry-After": {retryAfter("99999999"), 1, 0, 0},
		"rate limit":          {reply{status: 200, body: `{"code":429}`}, 1, 0, 0},
		"maintenance":         {reply{status: 200, body: `{"code":455}`}, 1, 0, 0},
		"wrong key":           {reply{status: 401}, 1, 0, 0},
		"not found":           {reply{status: 200, body: `{"code":422}`}, 1, 0, 0},
		"malformed":           {reply{status: 200, body: `{"code":400}`}, 1, 0, 0},
		"redirect":            {reply{status: 302, header: http.Header{"Location": {"/x"}}}, 1, 0, 0},
	}
	for op, call := range reads {
		for name, test := range tests {
			t.Run(op+" "+name, func(t *testing.T) {
				requests, took, err := runRead(t, call, test.first, good[op])
				assert.Equal(t, test.requests, requests)
				assert.GreaterOrEqual(t, took, test.atLeast)
				assert.LessOrEqual(t, took, test.atMost)
				if test.requests == 2 {
					require.NoError(t, err)
				} else {
					_ = requireError(t, err)
				}
			})
		}
		t.Run(op+" gives up", func(t *testing.T) {
			requests, took, err := runRead(t, call, reply{status: 502, body: `{"code":500,"msg":"overloaded"}`})
			failed := requireError(t, err)
			assert.Equal(t, 3, requests)
			assert.LessOrEqual(t, took, 5*time.Second)
			assert.Equal(t, 502, failed.HTTPStatus)
			assert.Equal(t, "overloaded", failed.Message)
		})
	}
}

func TestReadConnectionErrors(t *testing.T) {
	broken := errors.New("connection reset")
	for op, call := range reads {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := 0
				client := newClient(t, kie.Options{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					count++
					return nil, broken
				})})
				err := call(t.Context(), client)
				failed := requireError(t, err)
				assert.Equal(t, kie.Temporary, failed.Class)
				require.ErrorIs(t, err, broken)
				assert.Zero(t, failed.Code)
				assert.Equal(t, 3, count)
				assert.NotContains(t, err.Error(), "http", "the URL is not repeated")
			})
		})
	}
}

func TestReadTimesOut(t *testing.T) {
	silent := func(conn net.Conn) {
		_ = readRequest(conn)
		waitForEnd(conn)
	}
	for op, call := range reads {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, kie.Options{BaseURL: "http://api.kie.test", Transport: pipes(t, silent)})
				begin := time.Now()
				assert.Equal(t, kie.Temporary, requireError(t, call(t.Context(), client)).Class)
				assert.LessOrEqual(t, time.Since(begin), 25*time.Second)

				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				begin = time.Now()
				err := call(ctx, client)
				assert.Equal(t, kie.Temporary, requireError(t, err).Class)
				require.ErrorIs(t, err, context.Canceled)
				assert.Equal(t, time.Second, time.Since(begin))
			})
		})
	}
}

func TestReadRequests(t *testing.T) {
	type received struct {
		request, body, authorization, agent string
		length                              int64
	}
	var got received
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		got = received{r.Method + " " + r.URL.String(), string(raw), r.Header.Get("Authorization"), r.UserAgent(), r.ContentLength}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	client := newClient(t, kie.Options{BaseURL: server.URL, UserAgent: "agent/1"})
	requests := map[string]received{
		"record-info":  {request: "GET /api/v1/modify/record-info?taskId=" + taskID},
		"download-url": {request: "POST /api/v1/common/download-url", body: `{"url":"https://cdn.example/v.mp4?Signature=abc"}`, length: 49},
		"credit":       {request: "GET /api/v1/chat/credit"},
	}
	for op, want := range requests {
		t.Run(op, func(t *testing.T) {
			want.authorization, want.agent = "Bearer "+testKey, "agent/1"
			require.Error(t, reads[op](t.Context(), client))
			assert.Equal(t, want, got)
		})
	}
	_, err := client.Record(t.Context(), "", "../a b&c=d/é")
	require.Error(t, err)
	assert.Equal(t, "GET /api/v1/modify/record-info?taskId=..%2Fa+b%26c%3Dd%2F%C3%A9", got.request)
}

func TestCredit(t *testing.T) {
	for data, want := range map[string]float64{"100": 100, "99.5": 99.5, `"12"`: 12, "-3": -3, "0": 0, "1e3": 1000} {
		count := 0
		client := newClient(t, kie.Options{Transport: replies(&count, reply{status: 200, body: `{"code":200,"msg":"success","data":` + data + `}`})})
		got, err := client.Credit(t.Context())
		require.NoError(t, err)
		assert.InDelta(t, want, got, 0)
	}
	for _, data := range []string{"null", `""`, `"NaN"`, `"Inf"`, "[1]", `{"credit":1}`, "true"} {
		_, _, err := runRead(t, reads["credit"], reply{status: 200, body: `{"code":200,"data":` + data + `}`})
		assert.Equal(t, kie.Temporary, requireError(t, err).Class, data)
	}
}

func TestDownloadURL(t *testing.T) {
	count := 0
	client := newClient(t, kie.Options{Transport: replies(&count, reply{status: 200, body: `{"code":200,"msg":"success","data":"https://cdn.example/v.mp4?a=1\u0026b=2"}`})})
	link, err := client.DownloadURL(t.Context(), "https://cdn.example/v.mp4")
	require.NoError(t, err)
	assert.Equal(t, "https://cdn.example/v.mp4?a=1&b=2", link)
	for _, data := range []string{"null", `""`, `"file:///etc/passwd"`, `"javascript:alert(1)"`, "7", `"` + "https://" + strings.Repeat("a", 9000) + `"`} {
		_, _, err := runRead(t, reads["download-url"], reply{status: 200, body: `{"code":200,"data":` + data + `}`})
		assert.Equal(t, kie.Temporary, requireError(t, err).Class, data)
	}
}
