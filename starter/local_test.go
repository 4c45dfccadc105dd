package starter_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// local is a request for a video whose content is known and whose address is
// not yet, localID its job.
var local = workflows.ModifyVideoInput{Prompt: "snow", VideoSHA256: strings.Repeat("5a", 32)}

const (
	localID  = "luma-b7767f1ec4379b069ec3d22e4d29a9ce"
	uploaded = "https://tempfile.redpandaai.co/in.mp4"
)

var expires = time.Date(2026, 11, 26, 8, 30, 0, 0, time.UTC)

// uploader counts the uploads; meanwhile is what happens during one.
func uploader(meanwhile func()) (upload starter.Upload, count *int) {
	count = new(int)
	return func(context.Context) (clip.Hosted, error) {
		*count++
		if meanwhile != nil {
			meanwhile()
		}
		return clip.Hosted{URL: uploaded, Expires: expires.In(time.FixedZone("", 3600))}, nil
	}, count
}

func TestUploadingStartsAJob(t *testing.T) {
	fake := newTemporal(t)
	upload, uploads := uploader(nil)
	job, err := starter.New(fake, starter.Options{}).Uploading(upload).Submit(t.Context(), local, "")
	require.NoError(t, err)
	require.Equal(t, starter.Job{WorkflowID: localID, RunID: "new-run-1", State: starter.StateRunning}, job)
	require.Equal(t, 1, *uploads)
	want := local
	want.VideoURL, want.VideoExpires = uploaded, "2026-11-26T08:30:00Z"
	require.Equal(t, []workflows.ModifyVideoInput{want}, fake.inputs)
}

// What is there, or may not be started, is not uploaded.
func TestUploadsThatAreNotNeeded(t *testing.T) {
	there := local
	there.VideoURL, there.VideoExpires = "https://tempfile.redpandaai.co/earlier.mp4", "2026-01-01T00:00:00Z"
	other := there
	other.VideoSHA256 = strings.Repeat("5b", 32)
	tests := []struct {
		name  string
		id    string
		input workflows.ModifyVideoInput
		job   func(*temporal)
		err   string
	}{
		{"under way", "", local, func(f *temporal) { f.job(localID) }, ""},
		{"done", "", local, func(f *temporal) { f.job(localID).end(statusCompleted, time.Minute) }, ""},
		{"under way under an id of choice", "shot-7", local, func(f *temporal) { f.job("shot-7").history = newHistory(t, there) }, ""},
		{"another content under that id", "shot-7", local, func(f *temporal) { f.job("shot-7").history = newHistory(t, other) }, "was asked for something else"},
		{"an address under that id", "shot-7", local, func(f *temporal) { f.job("shot-7") }, "was asked for something else"},
		{"paid already", "", local, func(f *temporal) {
			f.job(localID).end(statusFailed, time.Minute).history.endsFailed(application("SubmitUnknown", "lost"))
		}, "may have paid for a task"},
		{"an invalid request", "", workflows.ModifyVideoInput{Prompt: " ", VideoSHA256: local.VideoSHA256}, func(*temporal) {}, "prompt is blank"},
		{"Temporal is away", "", local, func(f *temporal) { f.down = serviceerror.NewUnavailable("refused") }, "does not answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := newTemporal(t)
			test.job(fake)
			upload, uploads := uploader(nil)
			s := starter.New(fake, starter.Options{}).Uploading(upload)
			var job starter.Job
			var err error
			if test.id != "" {
				job, err = s.SubmitAs(t.Context(), test.id, test.input)
			} else {
				job, err = s.Submit(t.Context(), test.input, "")
			}
			require.Zero(t, *uploads)
			require.Empty(t, fake.starts)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.True(t, job.Existing)
		})
	}
}

// A run that failed unpaid is followed by another, with an upload of its own.
func TestUploadingAgain(t *testing.T) {
	fake := newTemporal(t)
	fake.job(localID).end(statusFailed, time.Minute).history.endsFailed(application("SubmitRefused", "the uploaded video expired"))
	upload, uploads := uploader(nil)
	job, err := starter.New(fake, starter.Options{}).Uploading(upload).Submit(t.Context(), local, "")
	require.NoError(t, err)
	require.True(t, job.Again)
	require.Equal(t, 1, *uploads)
	require.Equal(t, uploaded, fake.inputs[0].VideoURL)
}

// An upload takes minutes, and others submit the same meanwhile.
func TestWhatHappensDuringAnUpload(t *testing.T) {
	tests := []struct {
		name string
		job  func(*temporal)
		err  string
	}{
		{"somebody else starts the job", func(f *temporal) { f.job(localID) }, ""},
		{"somebody else's job is done", func(f *temporal) { f.job(localID).end(statusCompleted, time.Minute) }, ""},
		{"somebody else pays and fails", func(f *temporal) {
			f.job(localID).end(statusFailed, time.Minute).history.endsFailed(application("ResultOverdue", "late"))
		}, "is not submitted again"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := newTemporal(t)
			upload, uploads := uploader(func() { test.job(fake) })
			job, err := starter.New(fake, starter.Options{}).Uploading(upload).Submit(t.Context(), local, "")
			require.Equal(t, 1, *uploads)
			require.Empty(t, fake.starts)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.True(t, job.Existing)
		})
	}
}

func TestUploadThatFails(t *testing.T) {
	fake := newTemporal(t)
	broken := errors.New("the upload broke")
	_, err := starter.New(fake, starter.Options{}).Uploading(func(context.Context) (clip.Hosted, error) {
		return clip.Hosted{}, broken
	}).Submit(t.Context(), local, "")
	require.ErrorIs(t, err, broken)
	require.Empty(t, fake.starts)
}

// uploadHost takes uploads as kie.ai does.
func uploadHost(t *testing.T, answer http.HandlerFunc) (url string, uploads *atomic.Int32) {
	t.Helper()
	uploads = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uploads.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, uploads
}

func keeps(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"success":true,"code":200,"data":{"downloadUrl":"http://`+r.Host+`/in.mp4"}}`)
}

const kieKey = "a-key-that-must-stay-secret"

// submitFile is the command for a file.
func submitFile(path, host string) *starter.SubmitCommand {
	c := &starter.SubmitCommand{Prompt: "snow", Video: path, TaskQueue: "lumaflow"}
	c.KieAPIKey, c.KieUploadBaseURL = kieKey, host
	return c
}

func TestSubmitCommandOfAFile(t *testing.T) {
	fake := newTemporal(t)
	host, uploads := uploadHost(t, keeps)
	s := starter.New(fake, starter.Options{})
	streams, out, said := newStreams("")
	const clip = "../internal/media/testdata/clip.mp4"
	require.NoError(t, submitFile(clip, host).RunOn(t.Context(), s, streams))
	id := strings.TrimSpace(out.String())
	require.Regexp(t, `^luma-[0-9a-f]{32}$`, id)
	require.Equal(t, "uploading "+clip+" (6.2 KB)\njob "+id+" is started; see it with: lumaflow status "+id+"\n", said.String())
	require.EqualValues(t, 1, uploads.Load())
	require.Equal(t, host+"/in.mp4", fake.inputs[0].VideoURL)
	left, err := time.Parse(time.RFC3339, fake.inputs[0].VideoExpires)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), left, time.Hour)

	// The same content under another name is the same job, as JSON too.
	content, err := os.ReadFile(clip)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "another name.mov")
	require.NoError(t, os.WriteFile(copied, content, 0o600))
	fake.job(id).history = newHistory(t, fake.inputs[0])
	for _, video := range []string{copied, "file://" + strings.ReplaceAll(copied, " ", "%20")} {
		again := submitFile(video, host)
		again.JSON = true
		streams, out, said = newStreams("")
		require.NoError(t, again.RunOn(t.Context(), s, streams))
		require.Contains(t, out.String(), `"existing": true`)
		require.Contains(t, said.String(), "job "+id+" is under way already, nothing was started")
	}
	require.EqualValues(t, 1, uploads.Load(), "nothing is uploaded twice")

	// Another key or watermark is another job, and another upload.
	take, branded := submitFile(clip, host), submitFile(clip, host)
	take.Key, branded.Watermark = "take-2", "brand"
	for _, other := range []*starter.SubmitCommand{take, branded} {
		streams, out, _ = newStreams("")
		require.NoError(t, other.RunOn(t.Context(), s, streams))
		require.NotEqual(t, id, strings.TrimSpace(out.String()))
	}
	require.EqualValues(t, 3, uploads.Load())
}

// What is wrong with a file or its settings is said before anything is dialled.
func TestFilesThatAreRefused(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	host, uploads := uploadHost(t, keeps)
	text := filepath.Join(t.TempDir(), "notes.mp4")
	require.NoError(t, os.WriteFile(text, []byte("not a video"), 0o600))
	const clip = "../internal/media/testdata/clip.mp4"
	keyless, badHost, badPrompt := submitFile(clip, host), submitFile(clip, "kie.ai"), submitFile(text, host)
	keyless.KieAPIKey, badPrompt.Prompt = "", "p\xff"
	badKey := submitFile(clip, host)
	badKey.KieAPIKey = kieKey + "\nx"
	for name, test := range map[string]struct {
		command *starter.SubmitCommand
		says    string
	}{
		"no video":            {submitFile(text, host), "--video: " + text + " is not a complete MP4, MOV or AVI"},
		"no file":             {submitFile("none.mp4", host), "--video: there is no file none.mp4"},
		"no key":              {keyless, "KIE_API_KEY is not set"},
		"a key that is none":  {badKey, "KIE_API_KEY holds a blank"},
		"a host that is none": {badHost, "KIE_UPLOAD_BASE_URL must be an http or https address"},
		"a prompt that is none, before the file is read": {badPrompt, "--prompt is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, out, _ := newStreams("")
			err := test.command.Run(t.Context(), streams)
			require.ErrorContains(t, err, test.says)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), kieKey)
			require.Empty(t, out.String())
		})
	}
	require.Zero(t, uploads.Load())
}

func TestSubmitCommandWhoseUploadIsInterrupted(t *testing.T) {
	fake := newTemporal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	host, _ := uploadHost(t, func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	})
	streams, out, said := newStreams("")
	err := submitFile("../internal/media/testdata/clip.mp4", host).RunOn(ctx, starter.New(fake, starter.Options{}), streams)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "was interrupted, nothing was submitted")
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
	require.Empty(t, fake.starts)
	require.Empty(t, out.String())
	require.Equal(t, 1, bytes.Count(said.Bytes(), []byte("\n")))
}
