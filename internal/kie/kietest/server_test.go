package kietest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

func TestSubmissionIsValidated(t *testing.T) {
	kie := start(t, kietest.Options{})
	for name, tc := range map[string]struct {
		body fields
		want int
	}{
		"good":                    {fields{"prompt": "snow", "videoUrl": source}, 200},
		"with everything":         {fields{"prompt": "snow", "videoUrl": source, "callBackUrl": "http://127.0.0.1:1/", "watermark": "w"}, 200},
		"no prompt":               {fields{"videoUrl": source}, 422},
		"blank prompt":            {fields{"prompt": " \n", "videoUrl": source}, 422},
		"no video":                {fields{"prompt": "snow"}, 422},
		"video is no URL":         {fields{"prompt": "snow", "videoUrl": "in.mp4"}, 422},
		"video is a file":         {fields{"prompt": "snow", "videoUrl": "file:///etc/passwd"}, 422},
		"callback is no URL":      {fields{"prompt": "snow", "videoUrl": source, "callBackUrl": "localhost"}, 422},
		"prompt is no string":     {fields{"prompt": 7, "videoUrl": source}, 422},
		"unknown fault":           {fields{"prompt": "snow [fault: truncatd]", "videoUrl": source}, 422},
		"empty fault":             {fields{"prompt": "snow [fault:]", "videoUrl": source}, 422},
		"invalid size":            {fields{"prompt": "snow [size: huge]", "videoUrl": source}, 422},
		"size past four gigabyte": {fields{"prompt": "snow [size: 5GB]", "videoUrl": source}, 422},
		"no results":              {fields{"prompt": "snow [results: 0]", "videoUrl": source}, 422},
		"invalid render":          {fields{"prompt": "snow [render: slow]", "videoUrl": source}, 422},
	} {
		t.Run(name, func(t *testing.T) {
			before := kie.Ledger()
			status, text, err := kie.call(t, http.MethodPost, "/api/v1/modify/generate", tc.body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, status, "refusals have HTTP status 200")
			var got envelope
			require.NoError(t, json.Unmarshal(text, &got))
			require.Equal(t, tc.want, got.Code, got.Msg)
			after := kie.Ledger()
			if tc.want == 200 {
				require.Equal(t, before.Charges+1, after.Charges)
				require.InDelta(t, before.Credits-kietest.Price, after.Credits, 0)
				return
			}
			require.Equal(t, "null", string(got.Data))
			require.NotEmpty(t, got.Msg)
			require.Equal(t, before.Charges, after.Charges)
			require.InDelta(t, before.Credits, after.Credits, 0)
			require.Equal(t, before.Refused[tc.want]+1, after.Refused[tc.want])
		})
	}
}

func TestEveryAPIRouteRequiresAKey(t *testing.T) {
	kie := start(t, kietest.Options{APIKey: "right"})
	for _, tc := range []struct {
		method, path string
		status       int // of a refusal
	}{
		{http.MethodPost, "/api/v1/modify/generate", http.StatusOK},
		{http.MethodGet, "/api/v1/modify/record-info", http.StatusOK},
		{http.MethodPost, "/api/v1/common/download-url", http.StatusOK},
		{http.MethodGet, "/api/v1/chat/credit", http.StatusOK},
		{http.MethodPost, "/api/file-stream-upload", http.StatusUnauthorized},
		{http.MethodPost, "/api/file-base64-upload", http.StatusUnauthorized},
		{http.MethodPost, "/api/file-url-upload", http.StatusUnauthorized},
	} {
		for _, header := range []string{"", "right", "Bearer", "Bearer ", "Bearer wrong", "Basic right"} {
			t.Run(tc.path+" "+header, func(t *testing.T) {
				got := kie.fetch(t, tc.method, kie.url+tc.path, "Authorization", header)
				require.Equal(t, tc.status, got.status)
				var answer envelope
				require.NoError(t, json.Unmarshal(got.body, &answer))
				require.Equal(t, 401, answer.Code)
			})
		}
	}
	got := kie.fetch(t, http.MethodGet, kie.url+"/api/v1/chat/credit", "Authorization", "Bearer right")
	require.JSONEq(t, `{"code":200,"msg":"success","data":10000000}`, string(got.body))
}

func TestAnyKeyIsAcceptedByDefault(t *testing.T) {
	kie := start(t, kietest.Options{})
	for header, want := range map[string]string{"Bearer any": `"code":200`, "bearer any": `"code":200`, "Bearer": `"code":401`, "": `"code":401`} {
		got := kie.get(t, kie.url+"/api/v1/chat/credit", "Authorization", header)
		require.Contains(t, string(got.body), want, header)
	}
}

func TestUnknownRoutesAreHTTPErrors(t *testing.T) {
	kie := start(t, kietest.Options{})
	for path, want := range map[string]int{
		"/":                               http.StatusNotFound,
		"/api/v1/suno/generate":           http.StatusNotFound,
		"/api/v1/modify/record-info/":     http.StatusNotFound,
		"//api/v1/modify/record-info":     http.StatusNotFound,
		"/api/v1/modify/../modify/x":      http.StatusNotFound,
		"/api/v1/modify/generate":         http.StatusMethodNotAllowed,
		"/uploads/../../etc/passwd":       http.StatusNotFound,
		"/uploads/%2e%2e/%2e%2e/bill.txt": http.StatusNotFound,
		"/l/unknown.mp4":                  http.StatusForbidden,
	} {
		t.Run(path, func(t *testing.T) {
			require.Equal(t, want, kie.get(t, kie.url+path).status)
		})
	}
}

func TestRequireUserAgent(t *testing.T) {
	kie := start(t, kietest.Options{RequireUserAgent: true})
	call := func(agent string) reply {
		return kie.get(t, kie.url+"/api/v1/chat/credit", "User-Agent", agent, "Authorization", "Bearer key")
	}
	refused := call("Go-http-client/1.1")
	require.Equal(t, http.StatusForbidden, refused.status)
	require.Equal(t, "error code: 1010", string(refused.body))
	require.Equal(t, http.StatusOK, call("Mozilla/5.0 (compatible; lumaflow/test)").status)
}

// fakeClock is an Options.Now that tests advance.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{at: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func TestRateLimit(t *testing.T) {
	clock := newFakeClock()
	kie := start(t, kietest.Options{Now: clock.now, RetryAfter: 1500 * time.Millisecond})
	good := fields{"prompt": "snow", "videoUrl": source}
	for range 20 {
		kie.accepted(t, good)
	}
	for range 3 {
		status, text, err := kie.call(t, http.MethodPost, "/api/v1/modify/generate", good)
		require.NoError(t, err)
		require.Equal(t, http.StatusTooManyRequests, status)
		require.Contains(t, string(text), `"code":429`)
	}
	require.Equal(t, 20, kie.Ledger().Charges)
	require.Equal(t, map[int]int{429: 3}, kie.Ledger().Refused)

	clock.advance(10 * time.Second)
	for range 20 {
		kie.accepted(t, good)
	}
	require.Equal(t, 429, kie.submit(t, good).Code)
}

func TestNoRateLimit(t *testing.T) {
	kie := start(t, kietest.Options{RateLimit: -1})
	for range 30 {
		kie.accepted(t, fields{"prompt": "snow", "videoUrl": source})
	}
}

func TestTopUp(t *testing.T) {
	kie := start(t, kietest.Options{Credits: 250})
	good := fields{"prompt": "snow", "videoUrl": source}
	kie.accepted(t, good)
	kie.accepted(t, good)
	require.Equal(t, 402, kie.submit(t, good).Code)
	require.Equal(t, "50", string(kie.callAPI(t, http.MethodGet, "/api/v1/chat/credit", nil).Data))

	status, text, err := kie.call(t, http.MethodPost, "/_sim/topup", fields{"credits": 50})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"credits":100}`, string(text))
	kie.accepted(t, good)
	require.Equal(t, 402, kie.submit(t, good).Code)
	require.Equal(t, 3, kie.Ledger().Charges)
}

func TestAccountWithoutCredit(t *testing.T) {
	kie := start(t, kietest.Options{Credits: -1})
	require.Equal(t, 402, kie.submit(t, fields{"prompt": "snow", "videoUrl": source}).Code)
	require.Zero(t, kie.Ledger().Charges)
}

func TestRecord(t *testing.T) {
	kie := start(t, kietest.Options{Render: time.Hour})
	begun := time.Now().Add(-time.Second)
	body := fields{"prompt": `say "hi"`, "videoUrl": source, "callBackUrl": "http://127.0.0.1:1/x", "watermark": "mark"}
	taskID := kie.accepted(t, body)

	pending := kie.record(t, taskID)
	assert.Equal(t, taskID, pending.TaskID)
	assert.Equal(t, 0, pending.SuccessFlag)
	assert.Nil(t, pending.Response)
	assert.Nil(t, pending.CompleteTime)
	assert.WithinRange(t, time.UnixMilli(pending.CreateTime), begun, time.Now())
	assert.JSONEq(t, `{"prompt":"say \"hi\"","videoUrl":"`+source+`","callBackUrl":"http://127.0.0.1:1/x","waterMark":"mark"}`, pending.ParamJSON)

	quick := start(t, kietest.Options{})
	charge := quick.finished(t, fields{"prompt": "snow", "videoUrl": source})
	done := quick.record(t, charge.TaskID)
	assert.Equal(t, 1, done.SuccessFlag)
	assert.Equal(t, charge.TaskID, done.Response.TaskID)
	assert.Equal(t, []string{source}, done.Response.OriginURLs)
	assert.Equal(t, []string{charge.Results[0].URL}, done.Response.ResultURLs)
	assert.GreaterOrEqual(t, *done.CompleteTime, done.CreateTime)
	assert.Nil(t, done.ErrorCode)
	assert.Nil(t, done.ErrorMessage)
	assert.NotContains(t, done.ParamJSON, "callBackUrl")
}

func TestUnknownTaskHasNoRecord(t *testing.T) {
	kie := start(t, kietest.Options{})
	for _, query := range []string{"", "?taskId=", "?taskId=0123456789abcdef0123456789abcdef"} {
		got := kie.callAPI(t, http.MethodGet, "/api/v1/modify/record-info"+query, nil)
		require.Equal(t, 422, got.Code)
		require.Equal(t, "record does not exist", got.Msg)
	}
	require.Equal(t, 3, kie.Ledger().UnknownPolls)
}

func TestCloseEndsRenders(t *testing.T) {
	kie := start(t, kietest.Options{Render: time.Hour})
	taskID := kie.accepted(t, fields{"prompt": "snow", "videoUrl": source})
	require.NoError(t, kie.Close())
	require.NoError(t, kie.Close())
	require.Equal(t, kietest.Generating, kie.charge(t, taskID).State)
	require.Equal(t, 455, kie.submit(t, fields{"prompt": "rain", "videoUrl": source}).Code)
	require.Equal(t, 1, kie.Ledger().Charges)
}

func TestCloseWaitsForModify(t *testing.T) {
	begun, ended := make(chan struct{}), false
	kie := start(t, kietest.Options{Modify: func(ctx context.Context, _, _ string) error {
		close(begun)
		<-ctx.Done()
		runtime.Gosched()
		ended = true
		return ctx.Err()
	}})
	link, _ := kie.localVideo(t)
	kie.accepted(t, fields{"prompt": "paint", "videoUrl": link})
	<-begun
	require.NoError(t, kie.Close())
	require.True(t, ended)
}

func TestNewRejectsInvalidOptions(t *testing.T) {
	_, err := kietest.New(kietest.Options{Faults: []string{"gremlins"}})
	require.ErrorIs(t, err, kietest.ErrUnknownFault)
	require.ErrorContains(t, err, "gremlins")
	for _, rate := range []float64{-0.1, 1.1} {
		_, err := kietest.New(kietest.Options{FaultRate: rate})
		require.ErrorContains(t, err, "rate")
	}
	_, err = kietest.New(kietest.Options{StateDir: "/dev/null/x"})
	require.ErrorContains(t, err, "state folder")
}

func TestLedgerOverHTTP(t *testing.T) {
	kie := start(t, kietest.Options{Seed: 42})
	charge := kie.finished(t, fields{"prompt": "snow [fault: rate-limited, flag-4]", "videoUrl": source + "?2"}.afterRefusals(t, kie))
	kie.record(t, charge.TaskID)
	requireWhole(t, charge.Results[0], kie.get(t, charge.Results[0].URL))

	got := kie.get(t, kie.url+"/_sim/ledger")
	var ledger kietest.Ledger
	require.NoError(t, json.Unmarshal(got.body, &ledger))
	want := kie.Ledger()
	require.Equal(t, int64(42), ledger.Seed)
	require.Equal(t, 1, ledger.Charges)
	require.Equal(t, map[int]int{429: 2}, ledger.Refused)
	require.Equal(t, map[string]int{"rate-limited": 2, "flag-4": 1}, ledger.Faults)
	require.Equal(t, 1, ledger.Polls)
	require.Equal(t, 1, ledger.Downloads)
	require.Len(t, ledger.Tasks, 1)
	line := ledger.Tasks[0]
	require.Equal(t, []string{"rate-limited", "flag-4"}, line.Faults)
	require.Equal(t, []string{"rate-limited", "flag-4"}, line.Met)
	require.Equal(t, kietest.ResponseSent, line.Response)
	require.Equal(t, kietest.Succeeded, line.State)
	require.Equal(t, want.Tasks[0].Results, line.Results)
	require.True(t, want.Tasks[0].Time.Equal(line.Time))
	for _, key := range []string{`"taskId"`, `"videoUrl"`, `"sha256"`, `"forgedDownloads"`, `"unknownPolls"`} {
		require.Contains(t, string(got.body), key)
	}
}

// afterRefusals makes the two submissions that the fault rate-limited refuses.
func (f fields) afterRefusals(t *testing.T, kie *provider) fields {
	t.Helper()
	for range 2 {
		require.Equal(t, 429, kie.submit(t, f).Code)
	}
	return f
}

func TestMenuCanBeChanged(t *testing.T) {
	kie := start(t, kietest.Options{})
	first := fields{"prompt": "first", "videoUrl": source}
	kie.accepted(t, first)

	status, text, err := kie.call(t, http.MethodPost, "/_sim/faults", fields{"faults": []string{"refused"}, "rate": 1})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, string(text), `"faults":["refused"],"rate":1`)
	require.Equal(t, 422, kie.submit(t, fields{"prompt": "second", "videoUrl": source}).Code)
	kie.accepted(t, first)

	for _, bad := range []fields{{"faults": []string{"gremlins"}}, {"rate": 2}} {
		status, text, err = kie.call(t, http.MethodPost, "/_sim/faults", bad)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, status, string(text))
	}
	require.Equal(t, 422, kie.submit(t, fields{"prompt": "third", "videoUrl": source}).Code)

	var menu kietest.Menu
	require.NoError(t, json.Unmarshal(kie.get(t, kie.url+"/_sim/faults").body, &menu))
	require.Equal(t, kietest.Faults(), menu.Known)
	require.True(t, strings.HasPrefix(menu.Faults[0], "refused"))
}
