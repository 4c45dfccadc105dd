package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/internal/store"
	"lumaflow/workflows"
)

// stockClip is a playable video of three seconds.
const stockClip = "../../internal/kie/kietest/clips/squares.mp4"

// submitFile submits a clip and waits for its video.
func (w *world) submitFile(prompt, video string, more ...string) (report submitReport, got answer) {
	w.t.Helper()
	got = w.run(append(w.submission(prompt, video), append(more, "--wait", "--json")...)...)
	if got.out != "" {
		require.NoError(w.t, json.Unmarshal([]byte(got.out), &report), got.out)
	}
	return report, got
}

// submission is a command line whose prompt is unique to the world.
func (w *world) submission(prompt, video string) []string {
	return []string{"submit", "--prompt", prompt + " in " + w.taskQueue, "--video", video}
}

type submitReport struct {
	WorkflowID string `json:"workflowId"`
	State      string `json:"state"`
	Existing   bool   `json:"existing"`
	Failure    struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"failure"`
}

// A file is uploaded and charged once for repeated submissions, also from a copy.
func TestLocalVideo(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	first, got := w.submitFile("a local video", stockClip)
	require.Zero(t, got.code, got.err)
	require.Equal(t, "completed", first.State)
	require.False(t, first.Existing)
	require.Contains(t, got.err, "uploading "+stockClip+" (84 kB)\n")
	require.NotContains(t, got.err, "\x1b", "no bar without a terminal")

	ledger := w.ledger()
	require.Equal(t, 1, ledger.Charges)
	require.Equal(t, 1, ledger.Uploads)
	content, err := os.ReadFile(stockClip)
	require.NoError(t, err)
	response, err := http.Get(ledger.Tasks[0].VideoURL)
	require.NoError(t, err)
	defer response.Body.Close()
	arrived, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, content, arrived, "the uploaded bytes equal the file")
	sum := sha256.Sum256(content)
	receipts, err := filepath.Glob(filepath.Join(w.output, "*.json"))
	require.NoError(t, err)
	require.Len(t, receipts, 1)
	text, err := os.ReadFile(receipts[0])
	require.NoError(t, err)
	var receipt store.Receipt
	require.NoError(t, json.Unmarshal(text, &receipt))
	require.Equal(t, hex.EncodeToString(sum[:]), receipt.SourceSHA256)

	copied := filepath.Join(t.TempDir(), "another name.mov")
	require.NoError(t, os.WriteFile(copied, content, 0o600))
	for _, same := range []string{stockClip, copied, "file://" + strings.ReplaceAll(copied, " ", "%20")} {
		repeated, got := w.submitFile("a local video", same)
		require.Zero(t, got.code, got.err)
		require.True(t, repeated.Existing)
		require.Equal(t, first.WorkflowID, repeated.WorkflowID)
	}
	require.Equal(t, ledger.Uploads, w.ledger().Uploads)
	require.Equal(t, 1, w.ledger().Charges)

	take, got := w.submitFile("a local video", stockClip, "--key", "take-2", "--watermark", "brand")
	require.Zero(t, got.code, got.err)
	require.NotEqual(t, first.WorkflowID, take.WorkflowID)
	ledger = w.ledger()
	require.Equal(t, 2, ledger.Charges)
	require.Equal(t, 2, ledger.Uploads)
	require.NotEqual(t, ledger.Tasks[0].VideoURL, ledger.Tasks[1].VideoURL, "each upload has a name of its own")

	shown := w.temporalCLI("workflow", "show", "--workflow-id", first.WorkflowID, "--output", "json")
	require.Zero(t, shown.code, shown.err)
	for where, text := range map[string]string{"history": shown.out, "receipt": string(text), "command": got.err + got.out} {
		require.NotContains(t, text, apiKey, where)
	}
}

// Concurrent submissions of the same file get the same job.
func TestLocalVideoSubmittedConcurrently(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	answers := make(chan answer)
	const clients = 4
	for range clients {
		go func() { answers <- w.run(w.submission("all at once", stockClip)...) }()
	}
	ids := map[string]bool{}
	for range clients {
		got := <-answers
		require.Zero(t, got.code, got.err)
		ids[strings.TrimSpace(got.out)] = true
	}
	require.Len(t, ids, 1)
	for id := range ids {
		_, err := w.result(id)
		require.NoError(t, err)
	}
	require.Equal(t, 1, w.ledger().Charges)
}

// A failed upload is repeated, and nothing is charged twice.
func TestFailedUploads(t *testing.T) {
	t.Parallel()
	faults := []string{kietest.UploadReset, kietest.Upload500, kietest.UploadHTML, kietest.UploadLost}
	w := enter(t, setup{simulate: []string{"--upload-faults", strings.Join(faults, ",")}})
	report, got := w.submitFile("broken uploads", stockClip)
	require.Zero(t, got.code, got.err)
	require.Equal(t, "completed", report.State)
	require.Equal(t, len(faults), strings.Count(got.err, "the upload failed ("), got.err)
	ledger := w.ledger()
	for _, fault := range faults {
		require.Equal(t, 1, ledger.Faults[fault], fault)
	}
	require.Equal(t, 1, ledger.Charges)
	require.Equal(t, 2, ledger.Uploads, "the one with the lost response, and the one after it")
}

// A held job is open: the same file is not uploaded again.
func TestLocalVideoOfAnOpenJob(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--credits", "0"}})
	submit := w.submission("held", stockClip)
	first := w.run(submit...)
	require.Zero(t, first.code, first.err)
	id := strings.TrimSpace(first.out)
	w.until("the job is held", func() bool {
		status, ok := w.status(id)
		return ok && status.Stage == workflows.StageHeld
	})
	again := w.run(submit...)
	require.Zero(t, again.code, again.err)
	require.Equal(t, first.out, again.out)
	require.Contains(t, again.err, "is under way already")
	require.Equal(t, 1, w.ledger().Uploads)
	require.Zero(t, w.ledger().Charges)
	require.Zero(t, w.run("cancel", id).code)
}

// An upload expires after a day. A job that is held for longer fails before its
// submission, and the same command uploads the file again.
func TestExpiredUpload(t *testing.T) {
	t.Parallel()
	// A hold for lack of credit takes five minutes; this upload expires earlier.
	w := enter(t, setup{simulate: []string{"--credits", "0", "--upload-lifetime", "18m"}})
	report, got := w.submitFile("held for too long", stockClip)
	require.Equal(t, 1, got.code)
	require.Equal(t, workflows.SubmitRefused, report.Failure.Type)
	for _, says := range []string{"nothing was submitted or charged", "the uploaded video expired at", "run the same submit command again; it uploads the video again"} {
		require.Contains(t, report.Failure.Message, says)
		require.Contains(t, got.err, says)
	}
	require.Zero(t, w.ledger().Charges)

	w.control("topup", map[string]int{"credits": 1000})
	again, got := w.submitFile("held for too long", stockClip)
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.err, "had ended without its video and is started again")
	require.Equal(t, report.WorkflowID, again.WorkflowID)
	require.Equal(t, "completed", again.State)
	require.Equal(t, 1, w.ledger().Charges)
	require.Equal(t, 2, w.ledger().Uploads)
}

// A job started by Temporal's own CLI checks the expiry, too.
func TestExpiredVideo(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{})
	input, err := json.Marshal(workflows.ModifyVideoInput{
		Prompt: "expired", VideoURL: w.simURL + "/uploads/gone.mp4", VideoExpires: time.Now().Add(-time.Minute).Format(time.RFC3339),
	})
	require.NoError(t, err)
	id := "expired-" + w.taskQueue
	w.start(id, string(input))
	_, err = w.result(id)
	require.ErrorContains(t, err, "the uploaded video expired at")
	require.ErrorContains(t, err, workflows.SubmitRefused)
	require.Zero(t, w.ledger().Charges)
}

// Ctrl-C ends a stalled upload, and nothing is submitted.
func TestInterruptedUpload(t *testing.T) {
	t.Parallel()
	w := enter(t, setup{simulate: []string{"--upload-faults", kietest.UploadStall}})
	submit := start(t, w.env, w.submission("interrupted", stockClip)...)
	w.until("the upload stalls", func() bool { return w.ledger().Faults[kietest.UploadStall] == 1 })
	submit.signal(syscall.SIGINT)
	require.Equal(t, 1, submit.exitCode())
	require.Contains(t, submit.output(), "was interrupted, nothing was submitted")
	require.NotContains(t, submit.output(), "is started")
	require.Zero(t, w.ledger().Charges)
	require.Zero(t, w.ledger().Uploads)

	// The interrupted command has started no job.
	report, got := w.submitFile("interrupted", stockClip)
	require.Zero(t, got.code, got.err)
	require.False(t, report.Existing)
	require.Equal(t, 1, w.ledger().Charges)
}

// An unexpected answer of the upload server is an error before the submission.
func TestBadUploadAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		answer string
		want   string
	}{
		"another key":    {401, `{"success":false,"code":401,"msg":"` + apiKey + ` is wrong"}`, "check KIE_API_KEY"},
		"a private host": {200, `{"success":true,"code":200,"data":{"downloadUrl":"https://10.9.8.7/in.mp4"}}`, "is on 10.9.8.7, which is no public host"},
		"an old link":    {200, `{"success":true,"code":200,"data":{"downloadUrl":"http://127.0.0.1/in.mp4","expiresAt":"2020-01-01T00:00:00Z"}}`, "deletes it at 2020-01-01"},
		"a refusal":      {413, `<html>`, "refused"},
		"a redirect":     {307, ``, "KIE_UPLOAD_BASE_URL"},
		"maintenance":    {200, `{"success":false,"code":455,"msg":"maintenance"}`, "maintenance"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Location", "https://evil.example/")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.answer)
			}))
			defer server.Close()
			env := append(os.Environ(), "TEMPORAL_ADDRESS="+address, "KIE_API_KEY="+apiKey, "KIE_UPLOAD_BASE_URL="+server.URL)
			got := execute(t, env, binary, "submit", "--prompt", "to "+name, "--video", stockClip)
			require.Equal(t, 1, got.code, got.err)
			require.Contains(t, got.err, "was not uploaded, so nothing was submitted: ")
			require.Contains(t, got.err, test.want)
			require.NotContains(t, got.err, apiKey)
			require.NotContains(t, got.err, "is started")
			require.Empty(t, got.out)
		})
	}
}

// A file that kie.ai would refuse is an error before the upload.
func TestBadVideos(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	content, err := os.ReadFile(stockClip)
	require.NoError(t, err)
	large := write("large.mp4", content)
	require.NoError(t, os.Truncate(large, 500_000_000+1_000_000))
	pipe := filepath.Join(folder, "pipe.mp4")
	require.NoError(t, exec.Command("mkfifo", pipe).Run())
	uploads := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was uploaded") }))
	t.Cleanup(uploads.Close)
	const key = "KIE_API_KEY=" + apiKey
	for _, test := range []struct{ name, key, video, want string }{
		{"text", key, write("notes.mp4", []byte("not a video")), "is not a complete MP4, MOV or AVI"},
		{"empty", key, write("empty.mp4", nil), "is empty"},
		{"cut off", key, write("cut.mp4", content[:len(content)/2]), "the video is cut off"},
		{"too long", key, write("long.mp4", withDuration(content, 11)), "lasts 11s and model luma takes at most 10s"},
		{"too large", key, large, "has 501 MB and model luma takes at most 500 MB"},
		{"folder", key, folder, "is a folder"},
		{"named pipe", key, pipe, "is not a regular file"},
		{"device", key, "/dev/zero", "is not a regular file"},
		{"missing", key, filepath.Join(folder, "none.mp4"), "there is no file"},
		{"missing, of a file URL", key, "file:///none/of/this.mp4", "there is no file /none/of/this.mp4"},
		{"missing, as on Windows", key, `C:\films\none.mp4`, `there is no file C:\films\none.mp4`},
		{"another scheme", key, "s3://bucket/in.mp4", "neither an http or https URL nor a file"},
		{"no key", "KIE_API_KEY=", stockClip, "KIE_API_KEY is not set"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// No process listens on port 1, so a connection would give another error.
			env := append(os.Environ(), "TEMPORAL_ADDRESS=127.0.0.1:1", test.key, "KIE_UPLOAD_BASE_URL="+uploads.URL)
			got := execute(t, env, binary, "submit", "--prompt", "p", "--video", test.video)
			require.Equal(t, 2, got.code, got.err)
			require.Contains(t, got.err, test.want)
			require.Equal(t, 1, strings.Count(got.err, "\n"), got.err)
			require.NotContains(t, got.err, apiKey)
			require.Empty(t, got.out)
		})
	}
}

// withDuration is an MP4 with another duration in its header.
func withDuration(content []byte, seconds byte) []byte {
	header := strings.Index(string(content), "mvhd")
	changed := append([]byte{}, content...)
	// In version 0 the time scale and the duration follow the flags and two dates.
	copy(changed[header+16:], []byte{0, 0, 0, 1, 0, 0, 0, seconds})
	return changed
}
