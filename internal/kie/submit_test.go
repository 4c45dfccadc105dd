package kie_test

import (
	"encoding/json"
	"fmt"
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
)

var request = kie.SubmitRequest{
	Prompt:      "Turn the street into <winter> & night",
	VideoURL:    "https://cdn.example/in.mp4?a=1&b=2",
	CallbackURL: "https://hooks.example/callbacks/luma/job-1/" + testToken,
	Watermark:   "studio",
}

func TestSubmitRequest(t *testing.T) {
	var header http.Header
	var body, method, path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, method, path = r.Header, r.Method, r.URL.String()
		raw, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.True(t, r.Close, "the connection is used once")
		body = string(raw)
		assert.Equal(t, int64(len(raw)), r.ContentLength)
		_, _ = io.WriteString(w, `{"code":200,"msg":"success","data":{"taskId":"`+taskID+`"}}`)
	}))
	defer server.Close()
	client := newClient(t, kie.Options{BaseURL: server.URL, UserAgent: kie.UserAgent("9")})

	id, err := client.Submit(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, taskID, id)
	assert.Equal(t, "POST /api/v1/modify/generate", method+" "+path)
	assert.Equal(t, "Bearer "+testKey, header.Get("Authorization"))
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	assert.Equal(t, "Mozilla/5.0 (compatible; lumaflow/9)", header.Get("User-Agent"))
	assert.Empty(t, header.Get("Accept-Encoding"), "no compression is requested")
	want := `{"prompt":"Turn the street into <winter> & night","videoUrl":"https://cdn.example/in.mp4?a=1&b=2",` +
		`"callBackUrl":"https://hooks.example/callbacks/luma/job-1/` + testToken + `","watermark":"studio"}`
	assert.Equal(t, want, body, "field order and unescaped text")

	_, err = client.Submit(t.Context(), kie.SubmitRequest{Prompt: "p", VideoURL: "https://v"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"prompt":"p","videoUrl":"https://v"}`, body)
}

// submitClasses are the classes of a submission by code, with codes that are only
// covered by the rules for codes outside the table.
var submitClasses = map[int]kie.Class{
	200: kie.Unknown, // without a task id
	400: kie.Refused, 401: kie.Held, 402: kie.Held, 403: kie.Refused, 404: kie.Refused, 405: kie.Refused,
	408: kie.Unknown, 409: kie.Unknown, 413: kie.Refused, 418: kie.Refused, 422: kie.Refused, 429: kie.Held,
	433: kie.Held, 451: kie.Refused, 455: kie.Held, 499: kie.Unknown,
	500: kie.Unknown, 501: kie.Unknown, 502: kie.Unknown, 505: kie.Refused, 531: kie.Unknown, 550: kie.Unknown, 599: kie.Unknown,
	0: kie.Unknown, 1: kie.Unknown, -1: kie.Unknown, 100: kie.Unknown, 201: kie.Unknown, 204: kie.Unknown,
	301: kie.Unknown, 302: kie.Unknown, 399: kie.Unknown, 600: kie.Unknown, 10001: kie.Unknown,
}

func TestSubmitCodes(t *testing.T) {
	envelopes := map[string]string{
		"number": `{"code":%d,"msg":"text of kie.ai","data":null}`,
		"string": `{"code":"%d","message":"text of kie.ai"}`,
		"float":  "\ufeff\n" + `{"code":%d.0,"msg":"text of kie.ai","data":{}}`,
	}
	for code, class := range submitClasses {
		for name, envelope := range envelopes {
			for _, status := range []int{200, 400, 429} {
				t.Run(fmt.Sprintf("code %d as %s under %d", code, name, status), func(t *testing.T) {
					failed := submitError(t, reply{status: status, body: fmt.Sprintf(envelope, code)})
					assert.Equal(t, class, failed.Class, failed)
					assert.Equal(t, code, failed.Code)
					assert.Equal(t, status, failed.HTTPStatus)
					assert.Equal(t, "text of kie.ai", failed.Message)
				})
			}
		}
		for _, status := range []int{500, 502, 503, 520} {
			t.Run(fmt.Sprintf("code %d under %d", code, status), func(t *testing.T) {
				failed := submitError(t, reply{status: status, body: fmt.Sprintf(`{"code":%d,"msg":"m"}`, code)})
				assert.Equal(t, kie.Unknown, failed.Class, "a server error proves nothing")
			})
		}
	}
}

func TestSubmitStatuses(t *testing.T) {
	bodies := map[string]string{
		"empty": "", "html": "<html>nginx</html>", "text": "error code: 1010", "array": "[]", "null": "null",
		"half":         `{"code":200,"data":{"taskId":"abc`,
		"no code":      `{"timestamp":"2026","status":404,"error":"Not Found","path":"/x"}`,
		"two values":   `{"code":429}{"code":200}`,
		"code is null": `{"code":null}`, "code is a list": `{"code":[429]}`,
	}
	for code, class := range submitClasses {
		if code < 200 || code > 599 {
			continue
		}
		switch code {
		case 301, 302:
			class = kie.Refused
		case 403:
			class = kie.Held
		case 505:
			class = kie.Unknown // as a status it means HTTP version not supported
		}
		for name, body := range bodies {
			t.Run(strconv.Itoa(code)+" "+name, func(t *testing.T) {
				failed := submitError(t, reply{status: code, body: body})
				assert.Equal(t, class, failed.Class, failed)
				assert.Equal(t, code, failed.Code)
			})
		}
	}
}

func submitError(t *testing.T, answer reply) *kie.Error {
	t.Helper()
	count := 0
	client := newClient(t, kie.Options{Transport: replies(&count, answer)})
	id, err := client.Submit(t.Context(), request)
	assert.Empty(t, id)
	assert.Equal(t, 1, count, "requests")
	return requireError(t, err)
}

func TestSubmitAccepted(t *testing.T) {
	tests := map[string]reply{
		"documented":        {status: 200, body: `{"code":200,"msg":"success","data":{"taskId":"abc"}}`},
		"code as a string":  {status: 200, body: `{"code":"200","data":{"taskId":"abc"}}`},
		"snake case":        {status: 200, body: `{"code":200,"data":{"task_id":"abc"}}`},
		"top level":         {status: 200, body: `{"code":200,"taskId":"abc","data":null}`},
		"no code":           {status: 200, body: `{"data":{"taskId":"abc"}}`},
		"no code, created":  {status: 201, body: `{"data":{"taskId":"abc"}}`},
		"under another 2xx": {status: 202, body: `{"code":200,"data":{"taskId":"abc"}}`},
		"under an error":    {status: 502, body: `{"code":200,"data":{"taskId":"abc"}}`},
		"two ids":           {status: 200, body: `{"code":200,"taskId":"other","data":{"taskId":"abc"}}`},
		"unused empty id":   {status: 200, body: `{"code":200,"data":{"taskId":"","task_id":"abc"}}`},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			count := 0
			client := newClient(t, kie.Options{Transport: replies(&count, answer)})
			id, err := client.Submit(t.Context(), request)
			require.NoError(t, err)
			assert.Equal(t, "abc", id)
			assert.Equal(t, 1, count)
		})
	}
}

func TestSubmitUnknownAnswers(t *testing.T) {
	long := strings.Repeat("a", 257)
	tests := map[string]struct {
		answer reply
		taskID string
	}{
		"no data":               {reply{status: 200, body: `{"code":200,"msg":"success"}`}, ""},
		"data is null":          {reply{status: 200, body: `{"code":200,"data":null}`}, ""},
		"empty id":              {reply{status: 200, body: `{"code":200,"data":{"taskId":" "}}`}, ""},
		"id is an object":       {reply{status: 200, body: `{"code":200,"data":{"taskId":{"a":1}}}`}, ""},
		"endless id":            {reply{status: 200, body: `{"code":200,"data":{"taskId":"` + long + `"}}`}, ""},
		"id that is no text":    {reply{status: 200, body: `{"code":200,"data":{"taskId":"a\u0000b"}}`}, ""},
		"refusal with a task":   {reply{status: 200, body: `{"code":429,"data":{"taskId":"abc"}}`}, "abc"},
		"error with a task":     {reply{status: 200, body: `{"code":500,"data":{"taskId":"abc"}}`}, "abc"},
		"bare error and a task": {reply{status: 500, body: `{"data":{"taskId":"abc"}}`}, "abc"},
		"see other":             {reply{status: 303, header: http.Header{"Location": {"/x"}}}, ""},
		"too large":             {reply{status: 200, body: `{"code":200,"data":{"taskId":"abc"},"x":"` + strings.Repeat("x", 1<<20) + `"}`}, ""},
		"deep":                  {reply{status: 200, body: strings.Repeat(`{"a":`, 200_000)}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			failed := submitError(t, test.answer)
			assert.Equal(t, kie.Unknown, failed.Class, failed)
			assert.Equal(t, test.taskID, failed.TaskID)
			assert.Zero(t, failed.Delay(), "an unknown outcome has no retry delay")
		})
	}
}

func TestSubmitAnswerTooLarge(t *testing.T) {
	failed := submitError(t, reply{status: 200, body: `{"code":200,"data":{"taskId":"` + taskID + `"},"log":"` + strings.Repeat("x", kie.MaxBody) + `"}`})
	assert.Equal(t, kie.Unknown, failed.Class)
	assert.Equal(t, taskID, failed.TaskID)
	require.ErrorContains(t, failed, "the answer is larger than 1 MiB")
}

func TestSubmitDelays(t *testing.T) {
	date := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		code       int
		header     http.Header
		retryAfter time.Duration
		delay      time.Duration
	}{
		"rate limit":      {429, nil, 0, 10 * time.Second},
		"maintenance":     {455, nil, 0, time.Minute},
		"no credits":      {402, nil, 0, 5 * time.Minute},
		"key cap":         {433, nil, 0, 5 * time.Minute},
		"key":             {401, nil, 0, time.Minute},
		"seconds":         {429, http.Header{"Retry-After": {"37"}}, 37 * time.Second, 37 * time.Second},
		"on a hold of 5m": {402, http.Header{"Retry-After": {"1"}}, time.Second, time.Second},
		"zero":            {429, http.Header{"Retry-After": {"0"}}, 0, 10 * time.Second},
		"negative":        {429, http.Header{"Retry-After": {"-5"}}, 0, 10 * time.Second},
		"rubbish":         {429, http.Header{"Retry-After": {"soon"}}, 0, 10 * time.Second},
		"too long":        {429, http.Header{"Retry-After": {"86400"}}, 15 * time.Minute, 15 * time.Minute},
		"overflow":        {429, http.Header{"Retry-After": {"18446744073709551615"}}, 15 * time.Minute, 15 * time.Minute},
		"date": {429, http.Header{"Date": {date.Format(http.TimeFormat)}, "Retry-After": {date.Add(42 * time.Second).Format(http.TimeFormat)}},
			42 * time.Second, 42 * time.Second},
		"date in the past": {429, http.Header{"Retry-After": {date.AddDate(-20, 0, 0).Format(http.TimeFormat)}}, 0, 10 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			failed := submitError(t, reply{status: 200, header: test.header, body: fmt.Sprintf(`{"code":%d,"msg":"m"}`, test.code)})
			assert.Equal(t, kie.Held, failed.Class)
			assert.Equal(t, test.retryAfter, failed.RetryAfter)
			assert.Equal(t, test.delay, failed.Delay())
		})
	}
	blocked := submitError(t, reply{status: 403, body: "error code: 1010"})
	assert.Equal(t, time.Minute, blocked.Delay())
}

func TestSubmitErrorTexts(t *testing.T) {
	tests := map[string]struct {
		answer reply
		want   string
	}{
		"refusal":   {reply{status: 200, body: `{"code":422,"msg":"不能为空"}`}, "submit: refused, code 422 (kie.ai does not accept the parameters): 不能为空"},
		"hold":      {reply{status: 200, body: `{"code":402,"msg":"no"}`}, "submit: refused for now, code 402 (not enough credits): no"},
		"cdn":       {reply{status: 403, body: "error code: 1010\r\n"}, "submit: refused for now, HTTP 403: the request was blocked before it reached kie.ai: error code: 1010"},
		"web page":  {reply{status: 502, body: "<html>Bad gateway"}, "submit: the outcome is not known, HTTP 502: the answer is not in kie.ai's format; if it persists, check KIE_BASE_URL"},
		"mixed":     {reply{status: 500, body: `{"code":429,"msg":"m"}`}, "submit: the outcome is not known, HTTP 500 with code 429 (too many requests): m"},
		"no task":   {reply{status: 200, body: `{"code":200,"msg":"success"}`}, "submit: the outcome is not known, HTTP 200: the answer names no task: success"},
		"redirects": {reply{status: 308}, "submit: refused, HTTP 308: the address redirects elsewhere and lumaflow does not follow: set KIE_BASE_URL to the final address"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, submitError(t, test.answer).Error())
		})
	}
}

func TestReasonsCoverEveryCode(t *testing.T) {
	general := kie.Reason(498)
	for code := range submitClasses {
		assert.NotEmpty(t, kie.Reason(code))
	}
	for _, code := range []int{400, 401, 402, 404, 422, 429, 433, 451, 455, 505} {
		assert.NotEqual(t, general, kie.Reason(code), "code %d has its own reason", code)
	}
	assert.Equal(t, "not enough credits", kie.Reason(402))
}

func TestSubmitKeepsPrompts(t *testing.T) {
	prompts := []string{"", "  ", "雪の街", "quote \" back \\ slash", "line\nfeed\u2028", strings.Repeat("x", 200_000)}
	for _, prompt := range prompts {
		var got struct{ Prompt string }
		client := newClient(t, kie.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			require.NoError(t, json.NewDecoder(r.Body).Decode(&got))
			return reply{status: 200, body: `{"code":200,"data":{"taskId":"abc"}}`}.response(r), nil
		})})
		_, err := client.Submit(t.Context(), kie.SubmitRequest{Prompt: prompt})
		require.NoError(t, err)
		assert.Equal(t, prompt, got.Prompt)
	}
}
