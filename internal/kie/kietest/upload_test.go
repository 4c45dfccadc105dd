package kietest_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
)

type uploadReply struct {
	Success bool
	Code    int
	Msg     string
	Data    *struct {
		FileName, FilePath, DownloadURL, MimeType, UploadedAt, ExpiresAt string
		FileSize                                                         int64
	}
}

type part struct{ field, fileName, content string }

// upload sends the parts as a form, in their order.
func (p *provider) upload(t *testing.T, parts ...part) (int, uploadReply) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range parts {
		var field io.Writer
		var err error
		if part.fileName != "" {
			field, err = form.CreateFormFile(part.field, part.fileName)
		} else {
			field, err = form.CreateFormField(part.field)
		}
		require.NoError(t, err)
		_, err = io.WriteString(field, part.content)
		require.NoError(t, err)
	}
	require.NoError(t, form.Close())
	return p.send(t, "/api/file-stream-upload", form.FormDataContentType(), body.Bytes())
}

func (p *provider) send(t *testing.T, path, contentType string, body []byte) (int, uploadReply) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer key")
	request.Header.Set("Content-Type", contentType)
	answer, err := p.client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	var got uploadReply
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&got))
	return answer.StatusCode, got
}

func (p *provider) sendJSON(t *testing.T, path string, body fields) (int, uploadReply) {
	t.Helper()
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return p.send(t, path, "application/json", text)
}

func TestUploadCanBeFetched(t *testing.T) {
	kie := start(t, kietest.Options{})
	content := strings.Repeat("video ", 50_000)
	for name, parts := range map[string][]part{
		"fields first": {{"uploadPath", "", "videos/u"}, {"fileName", "", "in é.mp4"}, {"file", "original.mp4", content}},
		"file first":   {{"file", "original.mp4", content}, {"uploadPath", "", "videos/u"}, {"fileName", "", "in é.mp4"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := kie.upload(t, parts...)
			require.Equal(t, http.StatusOK, status, got.Msg)
			require.True(t, got.Success)
			require.Equal(t, 200, got.Code)
			require.Equal(t, "in é.mp4", got.Data.FileName)
			require.Equal(t, "videos/u/in é.mp4", got.Data.FilePath)
			require.Equal(t, "video/mp4", got.Data.MimeType)
			require.EqualValues(t, len(content), got.Data.FileSize)
			require.True(t, strings.HasPrefix(got.Data.DownloadURL, kie.url+"/uploads/videos/u/in%20"))

			fetched := kie.get(t, got.Data.DownloadURL)
			require.Equal(t, content, string(fetched.body))
			tail := kie.get(t, got.Data.DownloadURL, "Range", "bytes=299990-", "If-Range", fetched.header.Get("ETag"))
			require.Equal(t, http.StatusPartialContent, tail.status)
			require.Equal(t, content[299990:], string(tail.body))
		})
	}
	require.Equal(t, 2, kie.Ledger().Uploads)
}

func TestUploadWithoutANameGetsOne(t *testing.T) {
	kie := start(t, kietest.Options{})
	_, got := kie.upload(t, part{"uploadPath", "", "u"}, part{"file", "original.mov", "x"})
	require.Equal(t, "original.mov", got.Data.FileName)
	require.Equal(t, "video/quicktime", got.Data.MimeType)
	_, one := kie.sendJSON(t, "/api/file-base64-upload", fields{"uploadPath": "u", "base64Data": "eA=="})
	_, two := kie.sendJSON(t, "/api/file-base64-upload", fields{"uploadPath": "u", "base64Data": "eA=="})
	require.NotEqual(t, one.Data.FileName, two.Data.FileName)
}

func TestBase64AndURLUploads(t *testing.T) {
	kie := start(t, kietest.Options{})
	raw := base64.StdEncoding.EncodeToString([]byte("bytes"))
	for name, tc := range map[string]struct {
		path string
		body fields
		want string
	}{
		"base64":   {"/api/file-base64-upload", fields{"base64Data": raw, "uploadPath": "u", "fileName": "a.mp4"}, "bytes"},
		"data URL": {"/api/file-base64-upload", fields{"base64Data": "data:video/mp4;base64," + raw, "uploadPath": "u", "fileName": "b.mp4"}, "bytes"},
		"by URL":   {"/api/file-url-upload", fields{"fileUrl": kie.url + "/uploads/u/a.mp4", "uploadPath": "v", "fileName": "c.mp4"}, "bytes"},
	} {
		if name == "by URL" {
			kie.sendJSON(t, "/api/file-base64-upload", fields{"base64Data": raw, "uploadPath": "u", "fileName": "a.mp4"})
		}
		t.Run(name, func(t *testing.T) {
			status, got := kie.sendJSON(t, tc.path, tc.body)
			require.Equal(t, http.StatusOK, status, got.Msg)
			require.Equal(t, tc.want, string(kie.get(t, got.Data.DownloadURL).body))
		})
	}
}

func TestSameNameOverwrites(t *testing.T) {
	kie := start(t, kietest.Options{})
	_, first := kie.upload(t, part{"uploadPath", "", "u"}, part{"file", "a.mp4", "old"})
	_, second := kie.upload(t, part{"uploadPath", "", "u"}, part{"file", "a.mp4", "new"})
	require.Equal(t, first.Data.DownloadURL, second.Data.DownloadURL)
	require.Equal(t, "new", string(kie.get(t, first.Data.DownloadURL).body))
}

func TestInvalidUploadIsRefused(t *testing.T) {
	state := t.TempDir()
	kie := start(t, kietest.Options{StateDir: state})
	file := part{"file", "a.mp4", "x"}
	for name, parts := range map[string][]part{
		"no file":           {{"uploadPath", "", "u"}},
		"two files":         {{"uploadPath", "", "u"}, file, file},
		"no path":           {file},
		"leading slash":     {{"uploadPath", "", "/u"}, file},
		"trailing slash":    {{"uploadPath", "", "u/"}, file},
		"path with dots":    {{"uploadPath", "", "../.."}, file},
		"name with dots":    {{"uploadPath", "", "u"}, {"fileName", "", "../../x"}, file},
		"name with a slash": {{"uploadPath", "", "u"}, {"fileName", "", "a/b"}, file},
		"name is a dot":     {{"uploadPath", "", "u"}, {"fileName", "", "."}, file},
		"endless field":     {{"uploadPath", "", strings.Repeat("u", 5000)}, file},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := kie.upload(t, parts...)
			require.Equal(t, http.StatusBadRequest, status)
			require.Equal(t, 400, got.Code)
			require.False(t, got.Success)
			require.NotEmpty(t, got.Msg)
			require.Nil(t, got.Data)
		})
	}
	for path, body := range map[string]fields{
		"/api/file-base64-upload": {"base64Data": "***", "uploadPath": "u"},
		"/api/file-url-upload":    {"fileUrl": "file:///etc/passwd", "uploadPath": "u"},
	} {
		status, got := kie.sendJSON(t, path, body)
		require.Equal(t, http.StatusBadRequest, status, got.Msg)
	}
	status, _ := kie.sendJSON(t, "/api/file-url-upload", fields{"fileUrl": kie.url + "/uploads/none", "uploadPath": "u"})
	require.Equal(t, http.StatusInternalServerError, status)
	require.Zero(t, kie.Ledger().Uploads)
	left, err := filepath.Glob(filepath.Join(state, "incoming-*"))
	require.NoError(t, err)
	require.Empty(t, left, "a refused upload left a file")
}

// localVideo uploads a stock clip and returns its URL.
func (p *provider) localVideo(t *testing.T) (url string, content []byte) {
	t.Helper()
	content, err := os.ReadFile("clips/squares.mp4")
	require.NoError(t, err)
	_, got := p.upload(t, part{"uploadPath", "", "u"}, part{"file", "mine.mp4", string(content)})
	require.True(t, got.Success, got.Msg)
	return got.Data.DownloadURL, content
}

func TestUploadExpiresAfterADay(t *testing.T) {
	begun := time.Now()
	var age atomic.Int64
	kie := start(t, kietest.Options{Now: func() time.Time { return begun.Add(time.Duration(age.Load())) }})
	link, content := kie.localVideo(t)
	for _, address := range []string{link, strings.Replace(link, "127.0.0.1", "localhost", 1)} {
		inTime := kie.finished(t, fields{"prompt": "in time", "videoUrl": address})
		require.Equal(t, kietest.Succeeded, inTime.State)
		require.True(t, bytes.HasPrefix(kie.get(t, inTime.Results[0].URL).body, content))
	}
	age.Store(int64(24*time.Hour - time.Second))
	require.Equal(t, content, kie.get(t, link).body)
	age.Store(int64(24 * time.Hour))
	require.Equal(t, http.StatusNotFound, kie.get(t, link).status)

	for name, video := range map[string]string{"late": link, "never made": kie.url + "/uploads/u/none.mp4", "no path": kie.url + "/uploads/../x"} {
		charge := kie.finished(t, fields{"prompt": name, "videoUrl": video})
		require.Equal(t, kietest.Failed, charge.State, name)
		require.Equal(t, 2, charge.Flag, name)
	}
	require.Equal(t, 5, kie.Ledger().Charges, "a task with an expired source is charged")
}

func TestUploadLifetimeIsInTheAnswer(t *testing.T) {
	kie := start(t, kietest.Options{UploadLifetime: time.Minute})
	_, got := kie.upload(t, part{"uploadPath", "", "u"}, part{"file", "a.mp4", "x"})
	begun, err := time.Parse(time.RFC3339, got.Data.UploadedAt)
	require.NoError(t, err)
	ends, err := time.Parse(time.RFC3339, got.Data.ExpiresAt)
	require.NoError(t, err)
	require.Equal(t, time.Minute, ends.Sub(begun))
}

func TestUploadFaults(t *testing.T) {
	var names []string
	for _, fault := range kietest.UploadFaults() {
		require.NotEmpty(t, fault.Description)
		names = append(names, fault.Name)
	}
	kie := start(t, kietest.Options{UploadFaults: names})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	send := func(ctx context.Context) (status int, text string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, kie.url+"/api/file-base64-upload",
			strings.NewReader(`{"uploadPath":"u","fileName":"a.mp4","base64Data":"eA=="}`))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer key")
		request.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(body)
	}
	status, text := send(t.Context())
	require.Zero(t, status, "reset: %s", text)

	stalled, disconnect := context.WithCancel(t.Context())
	go func() {
		assert.Eventually(t, func() bool { return kie.Ledger().Faults[kietest.UploadStall] == 1 }, waitMax, tick)
		disconnect()
	}()
	status, text = send(stalled)
	require.Zero(t, status)
	require.Contains(t, text, "canceled")

	status, text = send(t.Context())
	require.Equal(t, 500, status)
	require.Contains(t, text, `"success":false`)
	status, text = send(t.Context())
	require.Equal(t, 200, status)
	require.Contains(t, text, "<html>")
	require.Zero(t, kie.Ledger().Uploads)
	status, _ = send(t.Context())
	require.Zero(t, status)
	require.Equal(t, 1, kie.Ledger().Uploads, "the file is stored, the answer is lost")
	status, _ = send(t.Context())
	require.Equal(t, 200, status)
	require.Equal(t, 2, kie.Ledger().Uploads)
	for _, name := range names {
		require.Equal(t, 1, kie.Ledger().Faults[name], name)
	}
}

func TestUnknownUploadFaults(t *testing.T) {
	_, err := kietest.New(kietest.Options{UploadFaults: []string{"reset"}})
	require.ErrorIs(t, err, kietest.ErrUnknownFault)
}

func TestModifiedUpload(t *testing.T) {
	kie := start(t, kietest.Options{Modify: func(_ context.Context, in, out string) error {
		content, err := os.ReadFile(in)
		if err != nil {
			return err
		}
		return os.WriteFile(out, append(content, 0, 0, 0, 8, 's', 'k', 'i', 'p'), 0o600)
	}})
	link, content := kie.localVideo(t)
	charge := kie.finished(t, fields{"prompt": "paint", "videoUrl": link})
	got := kie.get(t, charge.Results[0].URL)
	requireWhole(t, charge.Results[0], got)
	require.True(t, bytes.HasPrefix(got.body, content))
	require.Regexp(t, "skip free $", kinds(boxes(t, got.body)))
}

func TestUploadThatCannotBeModifiedIsTheResult(t *testing.T) {
	for name, modify := range map[string]func(context.Context, string, string) error{
		"no way to modify": nil,
		"modifying fails":  func(context.Context, string, string) error { return errors.New("no") },
		"nothing is made":  func(context.Context, string, string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			kie := start(t, kietest.Options{Modify: modify})
			link, content := kie.localVideo(t)
			charge := kie.finished(t, fields{"prompt": "paint", "videoUrl": link})
			kie.upload(t, part{"uploadPath", "", "u"}, part{"file", "mine.mp4", "replaced"})
			got := kie.get(t, charge.Results[0].URL)
			requireWhole(t, charge.Results[0], got)
			require.True(t, bytes.HasPrefix(got.body, content))
			require.NotEqual(t, len(content), len(got.body), "the result has no box of its task")
		})
	}
}

func TestUploadThatIsNoVideoGivesAStockClip(t *testing.T) {
	kie := start(t, kietest.Options{})
	_, uploaded := kie.upload(t, part{"uploadPath", "", "u"}, part{"file", "a.mp4", "not a video"})
	charge := kie.finished(t, fields{"prompt": "paint", "videoUrl": uploaded.Data.DownloadURL})
	require.Regexp(t, "^ftyp ", kinds(boxes(t, kie.get(t, charge.Results[0].URL).body)))
}

func TestFFmpegModifiesVideos(t *testing.T) {
	modify, ok := kietest.FFmpeg()
	if !ok {
		t.Skip("ffmpeg is not on PATH")
	}
	kie := start(t, kietest.Options{Modify: modify})
	link, content := kie.localVideo(t)
	charge := kie.finished(t, fields{"prompt": "paint", "videoUrl": link})
	got := kie.get(t, charge.Results[0].URL)
	requireWhole(t, charge.Results[0], got)
	require.Regexp(t, "^ftyp moov .*mdat free $", kinds(boxes(t, got.body)))
	require.NotEqual(t, content[:len(content)/2], got.body[:len(content)/2])

	bad := filepath.Join(t.TempDir(), "bad.mp4")
	require.NoError(t, os.WriteFile(bad, []byte("no video"), 0o600))
	require.ErrorContains(t, modify(t.Context(), bad, bad+".out.mp4"), "ffmpeg")
}
