package kie_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/internal/kie"
)

const (
	testKey = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
	// testToken has the form of a callback token.
	testToken = "dGhpcyBpcyBhIGNhbGxiYWNrIHRva2VuIG9mIDMyIGI"
	taskID    = "774d9a7dd608a0e49293903095e45a4c"
)

// roundTrip answers requests without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// reply is a canned response.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) response(request *http.Request) *http.Response {
	header := r.header
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: r.status,
		Header:     header,
		Body:       io.NopCloser(strings.NewReader(r.body)),
		Request:    request,
	}
}

// replies returns the replies in order, then repeats the last one, and counts the
// requests.
func replies(count *int, all ...reply) roundTrip {
	return func(request *http.Request) (*http.Response, error) {
		next := all[min(*count, len(all)-1)]
		*count++
		return next.response(request), nil
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t *testing.T, options kie.Options) *kie.Client {
	t.Helper()
	options.APIKey = testKey
	client, err := kie.New(options)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// requireError asserts the properties that are common to all errors of the package
// and returns the error.
func requireError(t *testing.T, err error) *kie.Error {
	t.Helper()
	var failed *kie.Error
	require.ErrorAs(t, err, &failed)
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), failed.Message} {
		assert.NotContains(t, text, testKey)
		assert.NotContains(t, text, testToken)
		assert.NotContains(t, text, "Signature=")
	}
	assert.NotContains(t, err.Error(), "\n")
	assert.NotEmpty(t, kie.Reason(failed.Code))
	assert.Equal(t, failed.Class, kie.ClassOf(fmt.Errorf("wrapped: %w", err)))
	return failed
}

func TestNewRejectsInvalidSettings(t *testing.T) {
	tests := map[string]struct {
		options kie.Options
		names   string
	}{
		"no key":             {kie.Options{}, "KIE_API_KEY"},
		"blank key":          {kie.Options{APIKey: " \n"}, "KIE_API_KEY"},
		"key with a blank":   {kie.Options{APIKey: "sec ret"}, "KIE_API_KEY"},
		"key with a newline": {kie.Options{APIKey: "sec\nret"}, "KIE_API_KEY"},
		"no scheme":          {kie.Options{APIKey: testKey, BaseURL: "api.kie.ai"}, "KIE_BASE_URL"},
		"wrong scheme":       {kie.Options{APIKey: testKey, BaseURL: "ftp://api.kie.ai"}, "KIE_BASE_URL"},
		"no host":            {kie.Options{APIKey: testKey, BaseURL: "https:///x"}, "KIE_BASE_URL"},
		"password":           {kie.Options{APIKey: testKey, BaseURL: "https://secret:ret@api.kie.ai"}, "KIE_BASE_URL"},
		"query":              {kie.Options{APIKey: testKey, BaseURL: "https://api.kie.ai?secret=ret"}, "KIE_BASE_URL"},
		"control character":  {kie.Options{APIKey: testKey, BaseURL: "https://secret\x01ret"}, "KIE_BASE_URL"},
		"upload fragment":    {kie.Options{APIKey: testKey, UploadBaseURL: "https://h/#secret"}, "KIE_UPLOAD_BASE_URL"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := kie.New(test.options)
			require.ErrorContains(t, err, test.names+" ")
			assert.NotContains(t, err.Error(), "ret")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestBaseURLKeepsItsPath(t *testing.T) {
	for _, base := range []string{"https://proxy.example/kie", "https://proxy.example/kie/"} {
		var got string
		client := newClient(t, kie.Options{BaseURL: base, Transport: roundTrip(func(request *http.Request) (*http.Response, error) {
			got = request.URL.String()
			return reply{status: 200, body: `{"code":200,"data":1}`}.response(request), nil
		})})
		_, err := client.Credit(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "https://proxy.example/kie/api/v1/chat/credit", got)
	}
}

func TestUserAgent(t *testing.T) {
	assert.Equal(t, "Mozilla/5.0 (compatible; lumaflow/1.2.3)", kie.UserAgent("1.2.3"))
}

func TestSecretsAreNotPrinted(t *testing.T) {
	const hmacKey = "whk-5e7c1b"
	options := kie.Options{APIKey: testKey}
	client := newClient(t, options)
	verifier, err := kie.ParseVerifier(hmacKey)
	require.NoError(t, err)

	var log bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
		logger.Info("settings", "options", options, "client", client, "verifier", verifier)
	}
	for _, value := range []any{options, &options, client, *client, verifier, &verifier, struct{ C any }{client}, []kie.Verifier{verifier}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			_, _ = fmt.Fprintf(&log, verb, value)
		}
		encoded, _ := json.Marshal(value)
		log.Write(encoded)
	}
	assert.NotContains(t, log.String(), testKey)
	assert.NotContains(t, log.String(), hmacKey)
	assert.NotContains(t, log.String(), fmt.Sprintf("%x", testKey))
	assert.NotContains(t, log.String(), fmt.Sprintf("%x", hmacKey))
	assert.Contains(t, log.String(), "kie.Client(api.kie.ai)")
}

func TestDebugLogHoldsNoSecret(t *testing.T) {
	var log bytes.Buffer
	count := 0
	client := newClient(t, kie.Options{
		Logger:    slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Transport: replies(&count, reply{status: 200, body: `{"code":200,"data":"https://cdn.example/v.mp4?Signature=x"}`}),
	})
	_, err := client.DownloadURL(t.Context(), "https://cdn.example/v.mp4?Signature=x")
	require.NoError(t, err)
	assert.Contains(t, log.String(), "download-url")
	for _, secret := range []string{testKey, "Signature=", "Bearer"} {
		assert.NotContains(t, log.String(), secret)
	}
}

func TestProviderTextIsRedactedAndBounded(t *testing.T) {
	quoted := "bad key " + testKey + " for https://hooks.example/callbacks/luma/job-1/" + testToken +
		" or https://cdn.example/in.mp4?Expires=1&Signature=abc or https://user:pw@cdn.example/x\nnext \x1b[31mline "
	tests := map[string]struct {
		text, want string
	}{
		"secrets": {quoted, "bad key [redacted] for https://hooks.example/callbacks/luma/job-1/[redacted] or " +
			"https://cdn.example/in.mp4?[redacted] or https://[redacted]@cdn.example/x next [31mline"},
		"token in a query":        {"https://h.example/cb?token=" + testToken + "&a=b", "https://h.example/cb?[redacted]"},
		"token that touches text": {"x_" + testToken + "_y", "[redacted]"},
		"token at the cut":        {strings.Repeat("ab ", 98) + testToken, strings.Repeat("ab ", 98) + "[redac…"},
		"chinese":                 {"不能为空", "不能为空"},
		"a task id stays":         {"task " + taskID + " failed", "task " + taskID + " failed"},
		"long":                    {strings.Repeat("é ", 400), strings.TrimSpace(strings.Repeat("é ", 150)) + "…"},
		"direction override":      {"a\u202eb", "a b"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			count := 0
			body, err := json.Marshal(map[string]any{"code": 400, "msg": test.text})
			require.NoError(t, err)
			client := newClient(t, kie.Options{Transport: replies(&count, reply{status: 200, body: string(body)})})
			_, err = client.Credit(t.Context())
			failed := requireError(t, err)
			assert.Equal(t, test.want, strings.TrimSpace(failed.Message))
			assert.Contains(t, err.Error(), failed.Message)
		})
	}
}

func TestClassOf(t *testing.T) {
	assert.Equal(t, kie.Unknown, kie.ClassOf(errors.New("anything")), "an unclassified error must forbid a second submission")
	assert.Zero(t, kie.ClassOf(nil))
	assert.NotZero(t, kie.NotSent, "the zero class must not mean that it is safe to submit again")
}

func TestShortKeyIsNotRedacted(t *testing.T) {
	count := 0
	client, err := kie.New(kie.Options{APIKey: "any", Transport: replies(&count, reply{status: 200, body: `{"code":429,"msg":"Too many requests"}`})})
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	_, err = client.Credit(t.Context())
	require.ErrorContains(t, err, "Too many requests")
}

func TestCauseIsRedacted(t *testing.T) {
	err := &kie.Error{Op: "submit", Class: kie.NotSent, Err: errors.New("dial https://me:pw@proxy.example/?Signature=1:\nno")}
	assert.Equal(t, "submit: nothing was sent: dial https://[redacted]@proxy.example/?[redacted] no", err.Error())
}
