package kietest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/kie/kietest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	source  = "https://cdn.example.org/in.mp4"
	waitMax = 20 * time.Second
	tick    = 2 * time.Millisecond
)

// provider is a simulated kie.ai behind a socket, with a client.
type provider struct {
	*kietest.Server
	url    string
	client *http.Client
}

func start(t *testing.T, options kietest.Options) *provider {
	t.Helper()
	if options.CallbackRetryEvery == 0 {
		options.CallbackRetryEvery = time.Millisecond
	}
	kie, err := kietest.New(options)
	require.NoError(t, err)
	server := httptest.NewServer(kie)
	client := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(func() {
		require.NoError(t, kie.Close())
		client.CloseIdleConnections()
		server.Close()
	})
	return &provider{Server: kie, url: server.URL, client: client}
}

type envelope struct {
	Code int             `json:"code"`
	Msg  string          `json:"msg"`
	Data json.RawMessage `json:"data"`
}

// call makes an API request and returns the HTTP status and the body.
func (p *provider) call(t *testing.T, method, path string, body any) (int, []byte, error) {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		require.NoError(t, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, p.url+path, bytes.NewReader(text))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer key")
	request.Header.Set("Content-Type", "application/json")
	answer, err := p.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	return answer.StatusCode, got, err
}

func (p *provider) callAPI(t *testing.T, method, path string, body any) envelope {
	t.Helper()
	_, text, err := p.call(t, method, path, body)
	require.NoError(t, err)
	var got envelope
	require.NoError(t, json.Unmarshal(text, &got), "%s", text)
	return got
}

type fields map[string]any

func (p *provider) submit(t *testing.T, body fields) envelope {
	t.Helper()
	return p.callAPI(t, http.MethodPost, "/api/v1/modify/generate", body)
}

// accepted submits and returns the task id.
func (p *provider) accepted(t *testing.T, body fields) string {
	t.Helper()
	got := p.submit(t, body)
	require.Equal(t, 200, got.Code, got.Msg)
	var data struct{ TaskID string }
	require.NoError(t, json.Unmarshal(got.Data, &data))
	require.Regexp(t, `^[0-9a-f]{32}$`, data.TaskID)
	return data.TaskID
}

// finished submits a job and returns its charge after the end of the generation.
func (p *provider) finished(t *testing.T, body fields) kietest.Charge {
	t.Helper()
	return p.ended(t, p.accepted(t, body))
}

func (p *provider) ended(t *testing.T, taskID string) kietest.Charge {
	t.Helper()
	var charge kietest.Charge
	require.Eventually(t, func() bool {
		charge = p.charge(t, taskID)
		return charge.State != kietest.Generating
	}, waitMax, tick)
	return charge
}

// callbacksDone waits until no further callback of a task will be sent.
func (p *provider) callbacksDone(t *testing.T, taskID string) kietest.Charge {
	t.Helper()
	var charge kietest.Charge
	require.Eventually(t, func() bool {
		charge = p.charge(t, taskID)
		return charge.Settled
	}, waitMax, tick)
	return charge
}

func (p *provider) charge(t *testing.T, taskID string) kietest.Charge {
	t.Helper()
	for _, charge := range p.Ledger().Tasks {
		if charge.TaskID == taskID {
			return charge
		}
	}
	require.Fail(t, "not on the bill: "+taskID)
	return kietest.Charge{}
}

type record struct {
	TaskID       string
	ParamJSON    string
	CreateTime   int64
	CompleteTime *int64
	SuccessFlag  int
	ErrorCode    *int
	ErrorMessage *string
	Response     *struct {
		TaskID     string
		OriginURLs []string `json:"originUrls"`
		ResultURLs []string `json:"resultUrls"`
	}
}

func (p *provider) record(t *testing.T, taskID string) record {
	t.Helper()
	got := p.callAPI(t, http.MethodGet, "/api/v1/modify/record-info?taskId="+taskID, nil)
	require.Equal(t, 200, got.Code, got.Msg)
	var data record
	require.NoError(t, json.Unmarshal(got.Data, &data))
	return data
}

func (p *provider) postDownloadURL(t *testing.T, url string) envelope {
	t.Helper()
	return p.callAPI(t, http.MethodPost, "/api/v1/common/download-url", fields{"url": url})
}

// reply is the answer to a download, with the received part of its body.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of the body
}

func (p *provider) get(t *testing.T, url string, header ...string) reply {
	t.Helper()
	return p.fetch(t, http.MethodGet, url, header...)
}

func (p *provider) fetch(t *testing.T, method, url string, header ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := p.client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, body, err}
}

func sum(content []byte) string {
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:])
}

// requireWhole requires that a download is the result on the bill.
func requireWhole(t *testing.T, want kietest.Result, got reply) {
	t.Helper()
	require.NoError(t, got.err)
	require.Equal(t, http.StatusOK, got.status)
	require.Len(t, got.body, int(want.Bytes))
	require.Equal(t, want.SHA256, sum(got.body))
}

// receiver receives callbacks.
type receiver struct {
	url string

	mu     sync.Mutex
	got    []delivery
	answer func(n int) int
}

type delivery struct {
	at     time.Time
	path   string
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	hooks := &receiver{answer: func(int) int { return http.StatusOK }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hooks.mu.Lock()
		hooks.got = append(hooks.got, delivery{time.Now(), r.URL.Path, r.Header, body})
		status := hooks.answer(len(hooks.got))
		hooks.mu.Unlock()
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	hooks.url = server.URL + "/callbacks/luma/job-1/" + token
	return hooks
}

const token = "the-token-of-this-job-xxxxxxxxxxxxxxxxxxxxx"

func (r *receiver) deliveries() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]delivery(nil), r.got...)
}

// await waits for n deliveries.
func (r *receiver) await(t *testing.T, n int) []delivery {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.deliveries()) >= n }, waitMax, tick)
	return r.deliveries()
}

type box struct {
	kind string
	size int
}

// boxes returns the top-level boxes of an MP4, which must fill it.
func boxes(t *testing.T, content []byte) []box {
	t.Helper()
	var found []box
	for len(content) > 0 {
		require.GreaterOrEqual(t, len(content), 8, "an incomplete box header after %v", found)
		size := int(content[0])<<24 | int(content[1])<<16 | int(content[2])<<8 | int(content[3])
		require.GreaterOrEqual(t, size, 8)
		require.LessOrEqual(t, size, len(content), "box %q reaches past the end", content[4:8])
		found = append(found, box{string(content[4:8]), size})
		content = content[size:]
	}
	return found
}

func kinds(found []box) string {
	var names strings.Builder
	for _, b := range found {
		names.WriteString(b.kind + " ")
	}
	return names.String()
}

// downloadURL returns a fresh link to a result.
func (p *provider) downloadURL(t *testing.T, link string) string {
	t.Helper()
	got := p.postDownloadURL(t, link)
	require.Equal(t, 200, got.Code, got.Msg)
	var fresh string
	require.NoError(t, json.Unmarshal(got.Data, &fresh))
	return fresh
}
