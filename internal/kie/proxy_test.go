package kie_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/test/proxytest"
)

const (
	proxyPassword = "password-of-the-proxy"
	apiTarget     = "api.kie.test:443"
)

var certificate = proxytest.NewCertificate("api.kie.test", "upload.kie.test", "127.0.0.1")

// proxies start a proxy of each kind.
var proxies = map[string]func(testing.TB, proxytest.Options) *proxytest.Proxy{
	"http":  proxytest.New,
	"https": func(t testing.TB, o proxytest.Options) *proxytest.Proxy { return proxytest.NewTLS(t, certificate, o) },
	"socks": proxytest.NewSOCKS,
}

// proxied is a client of https://api.kie.test, which is behind the proxy.
func proxied(t *testing.T, through *url.URL) *kie.Client {
	t.Helper()
	proxytest.SetEnvironment(t, map[string]string{"HTTPS_PROXY": through.String()})
	client := newClient(t, kie.Options{BaseURL: "https://api.kie.test", UploadBaseURL: "https://upload.kie.test"})
	kie.SetRoots(client, certificate.Roots)
	return client
}

// The permit is requested after the handshakes with the proxy and through it, and
// before the first byte of the request.
func TestSubmitThroughProxy(t *testing.T) {
	withdrawn := errors.New("the attempt was given up")
	for kind, start := range proxies {
		t.Run(kind, func(t *testing.T) {
			var requests atomic.Int32
			serve := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, accepted) }
			api := proxytest.Server(t, certificate, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				serve(w, r)
			}))
			through := start(t, proxytest.Options{Route: proxytest.To(api.Listener.Addr().String()), User: url.UserPassword("me", proxyPassword)})
			client := proxied(t, through.URL)

			permits := 0
			permitted := request
			permitted.Permit = func() error {
				permits++
				through.AssertTargets(t, apiTarget)
				assert.Zero(t, requests.Load())
				return nil
			}
			id, err := client.Submit(t.Context(), permitted)
			require.NoError(t, err)
			assert.Equal(t, "abcdefghij", id)
			assert.Equal(t, 1, permits)
			require.Equal(t, int32(1), requests.Load())

			refused := request
			refused.Permit = func() error { return withdrawn }
			_, err = client.Submit(t.Context(), refused)
			assert.Equal(t, kie.NotSent, requireError(t, err).Class)
			require.ErrorIs(t, err, withdrawn)
			require.Equal(t, int32(1), requests.Load())

			serve = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
			_, err = client.Submit(t.Context(), request)
			assert.Equal(t, kie.Unknown, requireError(t, err).Class, "the request was written")
			require.Equal(t, int32(2), requests.Load(), "it is not repeated")
		})
	}
}

func TestSubmitIsNotSentThroughProxy(t *testing.T) {
	api := proxytest.Server(t, certificate, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	other := proxytest.Server(t, proxytest.NewCertificate("api.kie.test"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	hangUp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for {
			connection, err := hangUp.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	defer func() {
		_ = hangUp.Close()
		<-closed
	}()
	tests := map[string]struct {
		route func(string) (string, int)
		user  *url.Userinfo
		text  string // of an HTTP proxy
	}{
		"407":                      {proxytest.To(api.Listener.Addr().String()), url.UserPassword("me", "not-"+proxyPassword), "requires its user and password"},
		"403":                      {proxytest.Refuse(403), nil, "opens no connection (HTTP 403 Forbidden)"},
		"502":                      {proxytest.Refuse(502), nil, "opens no connection (HTTP 502 Bad Gateway)"},
		"it closes the connection": {proxytest.To(hangUp.Addr().String()), nil, ""},
		"it decrypts":              {proxytest.To(other.Listener.Addr().String()), nil, "certificate"},
	}
	for kind, start := range proxies {
		for name, test := range tests {
			t.Run(kind+", "+name, func(t *testing.T) {
				through := start(t, proxytest.Options{Route: test.route, User: test.user})
				address := *through.URL
				if test.user != nil {
					address.User = url.UserPassword("me", proxyPassword)
				}
				_, err := proxied(t, &address).Submit(t.Context(), request)
				failed := requireError(t, err)
				assert.Equal(t, kie.NotSent, failed.Class, failed)
				assert.NotContains(t, err.Error(), proxyPassword)
				if kind != "socks" {
					require.ErrorContains(t, err, test.text)
				}
			})
		}
	}
	t.Run("not reachable", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		through, err := url.Parse(strings.Replace(server.URL, "://", "://me:"+proxyPassword+"@", 1))
		require.NoError(t, err)
		_, err = proxied(t, through).Submit(t.Context(), request)
		assert.Equal(t, kie.NotSent, requireError(t, err).Class)
		assert.NotContains(t, err.Error(), proxyPassword)
	})
	// The proxy connects after the submission was given up.
	for kind, start := range proxies {
		t.Run(kind+", too late", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			release := make(chan struct{})
			through := start(t, proxytest.Options{Route: func(string) (string, int) {
				cancel()
				<-release
				return api.Listener.Addr().String(), 0
			}})
			_, err := proxied(t, through.URL).Submit(ctx, request)
			assert.Equal(t, kie.NotSent, requireError(t, err).Class)
			close(release)
		})
	}
}

// Without TLS the proxy gets the request itself, so its answer is no proof.
func TestPlainSubmitThroughProxy(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, accepted) }))
	defer api.Close()
	for name, test := range map[string]struct {
		route func(string) (string, int)
		class kie.Class
	}{
		"accepted": {proxytest.To(api.Listener.Addr().String()), 0},
		"502":      {proxytest.Refuse(502), kie.Unknown},
		"504":      {proxytest.Refuse(504), kie.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			through := proxytest.New(t, proxytest.Options{Route: test.route})
			proxytest.SetEnvironment(t, map[string]string{"HTTP_PROXY": through.URL.String()})
			id, err := newClient(t, kie.Options{BaseURL: "http://api.kie.test"}).Submit(t.Context(), request)
			through.AssertTargets(t, "api.kie.test")
			assert.Equal(t, test.class, kie.ClassOf(err))
			if test.class == 0 {
				assert.Equal(t, "abcdefghij", id)
			}
		})
	}
}

func TestReadAndUploadThroughProxy(t *testing.T) {
	for kind, start := range proxies {
		t.Run(kind, func(t *testing.T) {
			api := proxytest.Server(t, certificate, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if r.Method == http.MethodPost {
					_, _ = io.WriteString(w, uploadAnswer)
					return
				}
				_, _ = io.WriteString(w, `{"code":200,"msg":"success","data":1234}`)
			}))
			through := start(t, proxytest.Options{Route: proxytest.To(api.Listener.Addr().String()), User: url.UserPassword("me", proxyPassword)})
			client := proxied(t, through.URL)
			credit, err := client.Credit(t.Context())
			require.NoError(t, err)
			assert.InDelta(t, 1234, credit, 0)
			_, err = client.Upload(t.Context(), kie.Upload{Name: "in.mp4", Size: 5, Body: strings.NewReader("video")})
			require.NoError(t, err)
			through.AssertTargets(t, apiTarget, "upload.kie.test:443")
		})
	}
}

func TestMalformedProxy(t *testing.T) {
	proxytest.SetEnvironment(t, map[string]string{"HTTPS_PROXY": "http://me:" + proxyPassword + "@"})
	_, err := kie.New(kie.Options{APIKey: testKey})
	require.ErrorContains(t, err, "HTTPS_PROXY is not the address of a proxy")
	assert.NotContains(t, err.Error(), proxyPassword)
	_, err = kie.CompareClocks(t.Context(), kie.Options{})
	require.ErrorContains(t, err, "HTTPS_PROXY is not the address of a proxy")
}
