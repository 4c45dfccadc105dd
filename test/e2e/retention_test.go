package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/starter"
	"lumaflow/workflows"
)

const day = 24 * time.Hour

// backdate puts a proxy before the simulated kie.ai that moves the times of tasks
// into the past. Files older than 14 days are deleted.
func (w *world) backdate(age time.Duration) {
	w.t.Helper()
	simulator, err := url.Parse(w.simURL)
	require.NoError(w.t, err)
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(simulator)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(response *http.Response) error {
			if !strings.HasSuffix(response.Request.URL.Path, "/record-info") {
				return nil
			}
			return backdateRecord(response, age)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		deleted := age > 14*day
		switch {
		case deleted && (strings.HasPrefix(in.URL.Path, "/l/") || strings.HasPrefix(in.URL.Path, "/m/")):
			http.NotFound(out, in)
		case deleted && strings.HasSuffix(in.URL.Path, "/download-url"):
			_, _ = io.WriteString(out, `{"code":422,"msg":"the file does not exist","data":null}`)
		default:
			forward.ServeHTTP(out, in)
		}
	}))
	w.t.Cleanup(server.Close)
	w.simURL = server.URL
	w.env = append(w.env, "KIE_BASE_URL="+server.URL)
}

// backdateRecord subtracts age from the times of a record.
func backdateRecord(response *http.Response, age time.Duration) error {
	var answer map[string]any
	decoder := json.NewDecoder(response.Body)
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return err
	}
	record, _ := answer["data"].(map[string]any)
	for _, name := range []string{"createTime", "completeTime"} {
		if at, ok := record[name].(json.Number); ok {
			milliseconds, err := at.Int64()
			if err != nil {
				return err
			}
			record[name] = milliseconds - age.Milliseconds()
		}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// The worker logs a video that is not stored ten days after the end of its task,
// also if its job has ended, and the list at risk has it with the four days that
// are left.
func TestWarningOfOldVideos(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{noCallbacks: true, env: []string{"FETCH_ALLOW_HOSTS=videos.example.org"}})
	w.worker.kill()
	w.backdate(10 * day)
	w.startWorker()
	task := w.submitDirectly("old")
	id := starter.JobID(workflows.ModifyVideoInput{TaskID: task}, "")
	start(t, w.env, "rescue", task)
	w.worker.awaitOutput(`level=WARN msg="the video is not stored yet and kie.ai deletes it 14 days after its task ended".* job=` + id +
		` taskId=` + task + ` hoursLeft=95 next="the job retries; see the reason with: lumaflow status ` + id + `"`)
	var risk starter.Risk
	w.until("the video is at risk", func() bool {
		risk = w.atRisk()[task]
		return risk.Stage == workflows.StageCollecting
	})
	require.Equal(t, 95, risk.HoursLeft)
	require.Equal(t, starter.FromEnd, risk.CountedFrom)

	terminated := w.temporalCLI("workflow", "terminate", "--workflow-id", id)
	require.Zero(t, terminated.code, terminated.err)
	w.until("the job has ended", func() bool { return w.atRisk()[task].Failure == starter.FailureTerminated })
	w.worker.kill()
	w.startWorker()
	w.worker.awaitOutput(`level=WARN msg="finished videos are not stored and kie.ai deletes them 14 days after their tasks ended" ` +
		`videos=1 hoursLeft=95 next="lumaflow list --at-risk"`)

	w.worker.kill()
	w.env = append(w.env, "FETCH_ALLOW_HOSTS=")
	w.startWorker()
	got := w.run("rescue", task)
	require.Zero(t, got.code, got.err)
	w.until("no video is at risk", func() bool { return len(w.atRisk()) == 0 })
}

// A deleted video fails its job at once, and is not listed at risk.
func TestDeletedVideos(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{noCallbacks: true})
	w.worker.kill()
	w.backdate(16 * day)
	w.startWorker()
	got := w.run("rescue", w.submitDirectly("too old"))
	require.Equal(t, 1, got.code, got.err)
	require.Contains(t, got.err, "kie.ai keeps videos for 14 days")
	require.Contains(t, got.err, "there is nothing left to collect")
	require.Empty(t, w.atRisk())
}
