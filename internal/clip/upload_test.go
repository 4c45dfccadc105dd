package clip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/clip"
	"lumaflow/internal/command"
	"lumaflow/internal/kie"
)

const link = "https://tempfile.redpandaai.co/a.mp4"

// host is a clip.Host that follows a script, one entry per attempt. The last entry
// repeats.
type host struct {
	script []func(context.Context, kie.Upload) (kie.Uploaded, error)
	names  []string
	bodies [][]byte
}

func (h *host) Upload(ctx context.Context, upload kie.Upload) (kie.Uploaded, error) {
	attempt := h.script[min(len(h.names), len(h.script)-1)]
	h.names = append(h.names, upload.Name)
	return attempt(ctx, upload)
}

// accept reads the whole body.
func (h *host) accept(_ context.Context, upload kie.Upload) (kie.Uploaded, error) {
	body, err := io.ReadAll(upload.Body)
	h.bodies = append(h.bodies, body)
	return kie.Uploaded{URL: link}, err
}

// failAfter reads a number of bytes and fails.
func failAfter(bytes int64, class kie.Class, code int) func(context.Context, kie.Upload) (kie.Uploaded, error) {
	return func(_ context.Context, upload kie.Upload) (kie.Uploaded, error) {
		if _, err := io.CopyN(io.Discard, upload.Body, bytes); err != nil && !errors.Is(err, io.EOF) {
			return kie.Uploaded{}, err
		}
		return kie.Uploaded{}, &kie.Error{Op: "upload", Class: class, Code: code, HTTPStatus: code, Err: errors.New("connection reset by peer")}
	}
}

// events is a clip.Progress that records its calls.
type events struct {
	all      []string
	sent     atomic.Int64
	onFailed func()
}

func (e *events) Begin() func(int64) {
	e.all = append(e.all, "begin")
	return func(bytes int64) { e.sent.Add(bytes) }
}

func (e *events) Failed(err error, pause time.Duration) {
	e.all = append(e.all, fmt.Sprintf("failed: %v; pause %v", err, pause))
	if e.onFailed != nil {
		e.onFailed()
	}
}

func (e *events) End(uploaded bool) { e.all = append(e.all, fmt.Sprintf("end %t", uploaded)) }

func TestUpload(t *testing.T) {
	t.Parallel()
	content := lasting(time.Second)
	for name, want := range map[string]string{"my film.txt": "my film.mp4", "CLIP.MP4": "CLIP.mp4", "noname": "noname.mp4", ".mp4": ".mp4"} {
		opened := open(t, file(t, name, content))
		synctest.Test(t, func(t *testing.T) {
			to := &host{}
			to.script = append(to.script, to.accept)
			var progress events
			hosted, err := opened.Upload(t.Context(), to, &progress)
			require.NoError(t, err)
			assert.Equal(t, clip.Hosted{URL: link, Expires: time.Now().Add(24*time.Hour - clip.FetchMargin)}, hosted)
			assert.Equal(t, []string{want}, to.names)
			assert.Equal(t, [][]byte{content}, to.bodies)
			assert.Equal(t, []string{"begin", "end true"}, progress.all)
			assert.Equal(t, opened.Bytes(), progress.sent.Load())
		})
	}
}

// An upload that fails temporarily is repeated from the first byte.
func TestUploadRetries(t *testing.T) {
	t.Parallel()
	content := lasting(time.Second)
	opened := open(t, file(t, "a.mp4", content))
	synctest.Test(t, func(t *testing.T) {
		to := &host{}
		to.script = append(to.script, failAfter(0, kie.Temporary, 0), failAfter(100, kie.Temporary, 500), failAfter(1<<20, kie.Temporary, 429), to.accept)
		var progress events
		begun := time.Now()
		hosted, err := opened.Upload(t.Context(), to, &progress)
		require.NoError(t, err)
		assert.Equal(t, link, hosted.URL)
		assert.Equal(t, [][]byte{content}, to.bodies)
		assert.GreaterOrEqual(t, time.Since(begun), 10*time.Second, "a 429 delays by ten seconds")
		assert.Less(t, time.Since(begun), 20*time.Second)
		assert.Regexp(t, `^begin
failed: upload: no usable answer: connection reset by peer; pause \S+
begin
failed: upload: no usable answer, HTTP 500: connection reset by peer; pause \S+
begin
failed: .*; pause 10s
begin
end true$`, strings.Join(progress.all, "\n"))
	})
}

func TestUploadFails(t *testing.T) {
	t.Parallel()
	opened := open(t, file(t, "a.mp4", lasting(time.Second)))
	early := func(ctx context.Context, upload kie.Upload) (kie.Uploaded, error) {
		_, err := upload.Body.Read(make([]byte, 10))
		return kie.Uploaded{URL: link}, err
	}
	until := func(left time.Duration) func(context.Context, kie.Upload) (kie.Uploaded, error) {
		return func(_ context.Context, upload kie.Upload) (kie.Uploaded, error) {
			_, err := io.Copy(io.Discard, upload.Body)
			return kie.Uploaded{URL: link, Expires: time.Now().Add(left)}, err
		}
	}
	untilTimeout := func(ctx context.Context, _ kie.Upload) (kie.Uploaded, error) {
		<-ctx.Done()
		return kie.Uploaded{}, &kie.Error{Op: "upload", Class: kie.Temporary, Err: context.Cause(ctx)}
	}
	tests := []struct {
		name     string
		upload   func(context.Context, kie.Upload) (kie.Uploaded, error)
		attempts int
		text     string
	}{
		{"every attempt", failAfter(10, kie.Temporary, 0), clip.MaxAttempts, "connection reset by peer; gave up after 5 attempts"},
		{"rejected", failAfter(10, kie.Refused, 413), 1, "upload: refused"},
		{"wrong key", failAfter(10, kie.Temporary, 401), 1, "check KIE_API_KEY at https://kie.ai/api-key"},
		{"maintenance", failAfter(10, kie.Temporary, 455), 1, "upload: no usable answer"},
		{"early response", early, 1, "kie.ai responded before it received the whole file"},
		{"deleted too soon", until(time.Minute), 1, "check the clock of this machine"},
		{"timeout", untilTimeout, 1, "it took more than 6h0m0s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				to := &host{script: []func(context.Context, kie.Upload) (kie.Uploaded, error){test.upload}}
				var progress events
				_, err := opened.Upload(t.Context(), to, &progress)
				require.ErrorContains(t, err, test.text)
				require.ErrorContains(t, err, opened.String()+" was not uploaded, so nothing was submitted: ")
				assert.Equal(t, command.ExitFailed, command.ExitCode(err))
				assert.NotContains(t, err.Error(), "\n")
				assert.Len(t, to.names, test.attempts)
				assert.Equal(t, "end false", progress.all[len(progress.all)-1])
			})
		})
	}

	t.Run("kept for less than a day", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hosted, err := opened.Upload(t.Context(), &host{script: []func(context.Context, kie.Upload) (kie.Uploaded, error){until(time.Hour)}}, new(events))
			require.NoError(t, err)
			assert.Equal(t, time.Now().Add(time.Hour-clip.FetchMargin), hosted.Expires)
		})
	})
	t.Run("kept for longer than a day", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hosted, err := opened.Upload(t.Context(), &host{script: []func(context.Context, kie.Upload) (kie.Uploaded, error){until(72 * time.Hour)}}, new(events))
			require.NoError(t, err)
			assert.Equal(t, time.Now().Add(24*time.Hour-clip.FetchMargin), hosted.Expires, "kie.ai documents different lifetimes, the shortest counts")
		})
	})
}

// Cancellation ends an attempt, and the pause before the next one.
func TestUploadCanceled(t *testing.T) {
	t.Parallel()
	opened := open(t, file(t, "a.mp4", lasting(time.Second)))
	blocked := func(ctx context.Context, _ kie.Upload) (kie.Uploaded, error) {
		<-ctx.Done()
		return kie.Uploaded{}, &kie.Error{Op: "upload", Class: kie.Temporary, Err: ctx.Err()}
	}
	for name, upload := range map[string]func(context.Context, kie.Upload) (kie.Uploaded, error){
		"during an attempt": blocked, "between attempts": failAfter(10, kie.Temporary, 429),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(5*time.Second, cancel)
				begun := time.Now()
				_, err := opened.Upload(ctx, &host{script: []func(context.Context, kie.Upload) (kie.Uploaded, error){upload}}, new(events))
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorContains(t, err, "was interrupted, nothing was submitted")
				assert.Equal(t, 5*time.Second, time.Since(begun))
			})
		})
	}
}

// The identity of a job is the hash of the content, so other content must not be
// uploaded.
func TestFileChangesBeforeTheUpload(t *testing.T) {
	t.Parallel()
	content := lasting(time.Second)
	other := bytes.Clone(content)
	other[len(other)-1] = 1
	for name, change := range map[string]func(path string) error{
		"other bytes": func(path string) error { return os.WriteFile(path, other, 0o600) },
		"shorter":     func(path string) error { return os.Truncate(path, 10) },
		"longer":      func(path string) error { return os.Truncate(path, 10_000) },
		"emptied":     func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t, "a.mp4", content)
			opened := open(t, path)
			require.NoError(t, change(path))
			to := &host{}
			to.script = append(to.script, to.accept)
			_, err := opened.Upload(t.Context(), to, new(events))
			require.ErrorContains(t, err, "the file has changed since it was checked")
			assert.Len(t, to.names, 1)
		})
	}
}

// A link is taken from any public https host, with what may not stand in a URL encoded.
func TestUploadLinkOfANewHost(t *testing.T) {
	t.Parallel()
	opened := open(t, file(t, "a.mp4", lasting(time.Second)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"code":200,"data":{"downloadUrl":"https://Files.moved.example/my clip.mp4?sign=%2F"}}`)
	}))
	defer server.Close()
	client, err := kie.New(kie.Options{UploadBaseURL: server.URL, APIKey: "key"})
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	hosted, err := opened.Upload(t.Context(), client, new(events))
	require.NoError(t, err)
	assert.Equal(t, "https://files.moved.example/my%20clip.mp4?sign=%2F", hosted.URL)
}

// kie.Client against a server that is not kie.ai.
func TestUploadToAnotherServer(t *testing.T) {
	t.Parallel()
	opened := open(t, file(t, "a.mp4", lasting(time.Second)))
	const key = "a-key-that-must-stay-secret"
	for name, test := range map[string]struct {
		status int
		body   string
		text   string
	}{
		"private host":  {200, `{"code":200,"data":{"downloadUrl":"https://10.9.8.7/a.mp4?sign=x"}}`, "is on 10.9.8.7, which is no public host"},
		"no permission": {401, `{"success":false,"code":401,"msg":"key ` + key + ` is wrong"}`, "check KIE_API_KEY"},
		"script URL":    {200, `{"code":200,"data":{"downloadUrl":"javascript:alert(1)?sign=x"}}`, `link "javascript:alert(1)/…" can't be used`},
		"too large":     {413, "", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			client, err := kie.New(kie.Options{UploadBaseURL: server.URL, APIKey: key})
			require.NoError(t, err)
			defer client.CloseIdleConnections()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			progress := events{onFailed: cancel} // no pause before the next attempt
			_, err = opened.Upload(ctx, client, &progress)
			require.Error(t, err)
			require.Equal(t, 1, requests)
			for _, text := range append(progress.all, err.Error()) {
				require.NotContains(t, text, key)
				require.NotContains(t, text, "sign=")
			}
			require.Contains(t, err.Error()+strings.Join(progress.all, "\n"), test.text)
		})
	}
}
