package jobs_test

import (
	"bytes"
	"context"
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

	"lumaflow/internal/cli/jobs"
	"lumaflow/internal/command"
	"lumaflow/starter"
	"lumaflow/test/startertest"
)

// uploadHost serves kie.ai's File Upload API.
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

// submitFile returns the command that submits a file.
func submitFile(path, host string) *jobs.SubmitCommand {
	c := &jobs.SubmitCommand{Prompt: "snow", Video: path, TaskQueue: "lumaflow"}
	c.KieAPIKey, c.KieUploadBaseURL = kieKey, host
	return c
}

func TestSubmitCommandOfAFile(t *testing.T) {
	fake := startertest.New(t)
	host, uploads := uploadHost(t, keeps)
	s := starter.New(fake, starter.Options{})
	streams, out, messages := newStreams("")
	const clip = "../../media/testdata/clip.mp4"
	require.NoError(t, submitFile(clip, host).RunOn(t.Context(), s, streams))
	id := strings.TrimSpace(out.String())
	require.Regexp(t, `^luma-[0-9a-f]{32}$`, id)
	require.Equal(t, "uploading "+clip+" (6.2 kB)\njob "+id+" is started; see it with: lumaflow status "+id+"\n", messages.String())
	require.EqualValues(t, 1, uploads.Load())
	require.Equal(t, host+"/in.mp4", fake.Inputs[0].VideoURL)
	left, err := time.Parse(time.RFC3339, fake.Inputs[0].VideoExpires)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(24*time.Hour), left, time.Hour)

	// The same content under another name is the same job.
	content, err := os.ReadFile(clip)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "another name.mov")
	require.NoError(t, os.WriteFile(copied, content, 0o600))
	fake.Job(id).History = startertest.NewHistory(t, fake.Inputs[0])
	for _, video := range []string{copied, "file://" + strings.ReplaceAll(copied, " ", "%20")} {
		again := submitFile(video, host)
		again.JSON = true
		streams, out, messages = newStreams("")
		require.NoError(t, again.RunOn(t.Context(), s, streams))
		require.Contains(t, out.String(), `"existing": true`)
		require.Contains(t, messages.String(), "job "+id+" is under way already, nothing was started")
	}
	require.EqualValues(t, 1, uploads.Load(), "nothing is uploaded twice")

	// Another key or watermark is another job, and another upload.
	take, branded := submitFile(clip, host), submitFile(clip, host)
	take.Key, branded.Watermark = "take-2", "brand"
	for _, other := range []*jobs.SubmitCommand{take, branded} {
		streams, out, _ = newStreams("")
		require.NoError(t, other.RunOn(t.Context(), s, streams))
		require.NotEqual(t, id, strings.TrimSpace(out.String()))
	}
	require.EqualValues(t, 3, uploads.Load())
}

// Errors of a file or its settings come before the command dials.
func TestInvalidFiles(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
	host, uploads := uploadHost(t, keeps)
	text := filepath.Join(t.TempDir(), "notes.mp4")
	require.NoError(t, os.WriteFile(text, []byte("not a video"), 0o600))
	const clip = "../../media/testdata/clip.mp4"
	keyless, badHost, badPrompt := submitFile(clip, host), submitFile(clip, "kie.ai"), submitFile(text, host)
	keyless.KieAPIKey, badPrompt.Prompt = "", "p\xff"
	badKey := submitFile(clip, host)
	badKey.KieAPIKey = kieKey + "\nx"
	for name, test := range map[string]struct {
		command  *jobs.SubmitCommand
		contains string
	}{
		"no video":        {submitFile(text, host), "--video: " + text + " is not a complete MP4, MOV or AVI"},
		"no file":         {submitFile("none.mp4", host), "--video: there is no file none.mp4"},
		"no key":          {keyless, "KIE_API_KEY is not set"},
		"an invalid key":  {badKey, "KIE_API_KEY holds a blank"},
		"an invalid host": {badHost, "KIE_UPLOAD_BASE_URL must be an http or https address"},
		"an invalid prompt, before the file is read": {badPrompt, "--prompt is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			streams, out, _ := newStreams("")
			err := test.command.Run(t.Context(), streams)
			require.ErrorContains(t, err, test.contains)
			require.Equal(t, command.ExitUsage, command.ExitCode(err))
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), kieKey)
			require.Empty(t, out.String())
		})
	}
	require.Zero(t, uploads.Load())
}

func TestSubmitCommandWithInterruptedUpload(t *testing.T) {
	fake := startertest.New(t)
	ctx, interrupt := context.WithCancel(t.Context())
	host, _ := uploadHost(t, func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	})
	streams, out, messages := newStreams("")
	err := submitFile("../../media/testdata/clip.mp4", host).RunOn(ctx, starter.New(fake, starter.Options{}), streams)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "was interrupted, nothing was submitted")
	require.Equal(t, command.ExitFailed, command.ExitCode(err))
	require.Empty(t, fake.Starts)
	require.Empty(t, out.String())
	require.Equal(t, 1, bytes.Count(messages.Bytes(), []byte("\n")))
}
