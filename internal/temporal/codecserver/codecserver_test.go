package codecserver_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"lumaflow/internal/temporal/codec"
	"lumaflow/internal/temporal/codecserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ui    = "https://temporal.example.org"
	token = "a codec token of more than thirty-two bytes"
)

func key(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))
}

func options(t *testing.T) codecserver.Options {
	t.Helper()
	keys, err := codec.ParseKeys(key("main", 1))
	require.NoError(t, err)
	return codecserver.Options{Codec: keys, Origins: []string{ui, "http://localhost:8233"}, Token: token}
}

func encrypted(t *testing.T, with codec.Codec, text string) *commonpb.Payload {
	t.Helper()
	payload, err := with.ForClient().Data.ToPayload(text)
	require.NoError(t, err)
	return payload
}

// The SDK's client of the protocol, which Temporal's CLI uses too.
func TestRemoteCodec(t *testing.T) {
	t.Parallel()
	with := options(t)
	server := httptest.NewServer(codecserver.New(with))
	defer server.Close()
	for _, prefix := range []string{"", "/", "/some/prefix"} {
		remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
			Endpoint: server.URL + prefix,
			Client:   *server.Client(),
			ModifyRequest: func(r *http.Request) error {
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("X-Namespace", "default")
				return nil
			},
		})
		plain, err := converter.GetDefaultDataConverter().ToPayload("plain")
		require.NoError(t, err)
		opened, err := remote.Decode([]*commonpb.Payload{encrypted(t, with.Codec, "snow"), plain})
		require.NoError(t, err)
		assert.Equal(t, `"snow"`, string(opened[0].GetData()))
		assert.True(t, proto.Equal(plain, opened[1]))

		encoded, err := remote.Encode(opened[:1])
		require.NoError(t, err)
		var text string
		require.NoError(t, with.Codec.ForClient().Data.FromPayload(encoded[0], &text))
		assert.Equal(t, "snow", text)

		away, err := codec.ParseKeys(key("away", 2))
		require.NoError(t, err)
		_, err = remote.Decode([]*commonpb.Payload{encrypted(t, away, "snow")})
		require.ErrorContains(t, err, `encrypted with codec key "away", which CODEC_KEYS does not hold`)
	}
}

func serve(handler http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func TestRequests(t *testing.T) {
	t.Parallel()
	const none = `{"payloads":[]}`
	bearer := []string{"Authorization", "Bearer " + token}
	basic := func(user, password string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
	}
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string
	}{
		{"bearer token", "POST", "/decode", none, bearer, 200, "{}"},
		{"scheme in lower case", "POST", "/encode", none, []string{"Authorization", "bearer " + token}, 200, "{}"},
		{"signed in", "POST", "/decode", none, basic("", token), 200, "{}"},
		{"no token", "POST", "/decode", none, nil, 401, "CODEC_TOKEN"},
		{"empty token", "POST", "/decode", none, []string{"Authorization", "Bearer "}, 401, "CODEC_TOKEN"},
		{"wrong token", "POST", "/decode", none, []string{"Authorization", "Bearer " + token + "x"}, 401, "CODEC_TOKEN"},
		{"half a token", "POST", "/decode", none, []string{"Authorization", "Bearer " + token[:20]}, 401, "CODEC_TOKEN"},
		{"token without a scheme", "POST", "/decode", none, []string{"Authorization", token}, 401, "CODEC_TOKEN"},
		{"token as user name", "POST", "/decode", none, basic(token, ""), 401, "CODEC_TOKEN"},
		{"broken basic", "POST", "/decode", none, []string{"Authorization", "Basic %%"}, 401, "CODEC_TOKEN"},
		{"wrong password", "POST", "/decode", none, basic("me", "guess"), 401, "CODEC_TOKEN"},
		{"the UI's page", "POST", "/decode", none, append([]string{"Origin", ui}, bearer...), 200, "{}"},
		{"another page", "POST", "/decode", none, append([]string{"Origin", "https://evil.example.org"}, bearer...), 403, "CODEC_ORIGIN"},
		{"a page of the same name", "POST", "/decode", none, append([]string{"Origin", "http://example.com"}, bearer...), 403, "CODEC_ORIGIN"},
		{"a sandboxed page", "POST", "/decode", none, append([]string{"Origin", "null"}, bearer...), 403, "CODEC_ORIGIN"},
		{"the UI's name on another port", "POST", "/decode", none, append([]string{"Origin", ui + ":8443"}, bearer...), 403, "CODEC_ORIGIN"},
		{"not JSON", "POST", "/decode", "snow", bearer, 400, "syntax error"},
		{"empty body", "POST", "/decode", "", bearer, 400, "syntax error"},
		{"null payload", "POST", "/decode", `{"payloads":[null]}`, bearer, 400, "null"},
		{"other fields", "POST", "/encode", `{"payload":[]}`, bearer, 400, "unknown field"},
		{"too large", "POST", "/decode", `{"payloads":[{"data":"` + strings.Repeat("A", 8<<20) + `"}]}`, bearer, 413, "too large"},
		{"GET", "GET", "/decode", "", bearer, 405, "method"},
		{"no such path", "POST", "/decode/x", none, bearer, 404, "not found"},
		{"path is not cleaned", "POST", "//x/../decode", none, bearer, 200, "{}"},
		{"sign in", "GET", "/", "", basic("me", token), 200, "may decrypt"},
		{"sign in without a password", "GET", "/", "", nil, 401, "CODEC_TOKEN"},
		{"POST to sign in", "POST", "/", "", bearer, 405, "method"},
		{"health", "GET", "/healthz", "", nil, 200, "ok"},
		{"health by HEAD", "HEAD", "/healthz", "", nil, 200, ""},
		{"POST to health", "POST", "/healthz", "", nil, 405, "method"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			with := options(t)
			with.Logger = slog.New(slog.NewTextHandler(&log, nil))
			answer := serve(codecserver.New(with), test.method, test.path, test.body, test.headers...)
			require.Equal(t, test.status, answer.Code, answer.Body)
			assert.Contains(t, answer.Body.String(), test.want)
			switch test.status {
			case 401:
				assert.Contains(t, answer.Header().Get("WWW-Authenticate"), "Basic realm=")
			case 405:
				assert.NotEmpty(t, answer.Header().Get("Allow"))
			case 403, 413:
				assert.Contains(t, log.String(), "request refused")
			case 200:
				assert.Equal(t, "no-store", answer.Header().Get("Cache-Control"))
				assert.Empty(t, log.String())
			}
			assert.NotContains(t, log.String()+answer.Body.String(), token)
			assert.NotContains(t, log.String(), "guess")
		})
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	handler := codecserver.New(options(t))
	preflight := func(origin, headers string, more ...string) http.Header {
		all := append([]string{"Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", headers}, more...)
		return serve(handler, "OPTIONS", "/decode", "", all...).Result().Header
	}
	for _, origin := range []string{ui, "http://localhost:8233"} {
		for _, headers := range []string{"content-type,x-namespace", "authorization,authorization-extras,content-type,x-namespace"} {
			allowed := preflight(origin, headers, "Access-Control-Request-Private-Network", "true")
			assert.Equal(t, origin, allowed.Get("Access-Control-Allow-Origin"))
			assert.Equal(t, "true", allowed.Get("Access-Control-Allow-Credentials"))
			assert.Equal(t, "true", allowed.Get("Access-Control-Allow-Private-Network"))
			assert.Equal(t, "POST", allowed.Get("Access-Control-Allow-Methods"))
			assert.Equal(t, headers, allowed.Get("Access-Control-Allow-Headers"))
			assert.Contains(t, strings.Join(allowed.Values("Vary"), ","), "Origin")
		}
	}
	assert.Empty(t, preflight(ui, "content-type,x-other").Get("Access-Control-Allow-Origin"))
	assert.Empty(t, preflight("https://evil.example.org", "content-type").Get("Access-Control-Allow-Origin"))

	answer := serve(handler, "POST", "/decode", `{"payloads":[]}`, "Origin", ui, "Authorization", "Bearer "+token).Result().Header
	assert.Equal(t, ui, answer.Get("Access-Control-Allow-Origin"))
	assert.Equal(t, "true", answer.Get("Access-Control-Allow-Credentials"))
	// The page can read the reason of a rejection.
	answer = serve(handler, "POST", "/decode", `{"payloads":[]}`, "Origin", ui).Result().Header
	assert.Equal(t, ui, answer.Get("Access-Control-Allow-Origin"))

	closed := options(t)
	closed.Origins = nil
	refused := serve(codecserver.New(closed), "OPTIONS", "/decode", "", "Origin", ui, "Access-Control-Request-Method", "POST")
	assert.Equal(t, 403, refused.Code)
	assert.Empty(t, refused.Header().Get("Access-Control-Allow-Origin"))
}

func TestNoTokenMeansNoAuthentication(t *testing.T) {
	t.Parallel()
	open := options(t)
	open.Token = ""
	answer := serve(codecserver.New(open), "POST", "/decode", `{"payloads":[]}`, "Origin", ui)
	assert.Equal(t, 200, answer.Code)
	answer = serve(codecserver.New(open), "POST", "/decode", `{"payloads":[]}`, "Origin", "https://evil.example.org")
	assert.Equal(t, 403, answer.Code)
}

func TestTruncatedBodyIsRejected(t *testing.T) {
	t.Parallel()
	request := httptest.NewRequest("POST", "/decode", io.MultiReader(strings.NewReader(`{"pay`), failingReader{}))
	request.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	codecserver.New(options(t)).ServeHTTP(answer, request)
	assert.Equal(t, 400, answer.Code)
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
