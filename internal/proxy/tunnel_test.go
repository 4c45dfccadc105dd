package proxy_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/proxy"
	"lumaflow/test/proxytest"
)

const target = "93.184.215.14:443"

// greeter is a server whose bytes follow those of the client.
func greeter(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestTunnel(t *testing.T) {
	user := url.UserPassword("me", password+"@/ü")
	for name, start := range map[string]func(testing.TB, proxytest.Options) *proxytest.Proxy{
		"http":  proxytest.New,
		"https": func(t testing.TB, o proxytest.Options) *proxytest.Proxy { return proxytest.NewTLS(t, certificate, o) },
		"socks": proxytest.NewSOCKS,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "https" && runtime.GOOS != "linux" {
				t.Skip("SSL_CERT_FILE is read on Linux")
			}
			through := start(t, proxytest.Options{Route: proxytest.To(greeter(t)), User: user})
			for _, target := range []string{target, "[2606:2800:21f::1]:443", "cdn.example:443"} {
				connection, err := proxy.Tunnel{Proxy: through.URL}.DialContext(t.Context(), "tcp", target)
				require.NoError(t, err)
				_, err = io.WriteString(connection, "GET / HTTP/1.0\r\n\r\n")
				require.NoError(t, err)
				answer, err := io.ReadAll(connection)
				require.NoError(t, err)
				assert.True(t, strings.HasSuffix(string(answer), "hello"))
				require.NoError(t, connection.Close())
			}
			through.AssertTargets(t, target, "[2606:2800:21f::1]:443", "cdn.example:443")

			wrong := *through.URL
			wrong.User = url.UserPassword("me", "not-"+password)
			_, err := proxy.Tunnel{Proxy: &wrong}.DialContext(t.Context(), "tcp", target)
			assert.True(t, requireError(t, err).Refused)
			assert.NotContains(t, err.Error(), password)

			refusing := start(t, proxytest.Options{Route: proxytest.Refuse(http.StatusForbidden)})
			_, err = proxy.Tunnel{Proxy: refusing.URL}.DialContext(t.Context(), "tcp", target)
			failed := requireError(t, err)
			assert.True(t, failed.Refused)
			assert.Equal(t, proxy.Address(refusing.URL), failed.Proxy)
			require.ErrorContains(t, err, "the proxy "+failed.Proxy+" opens no connection")
			refusing.AssertTargets(t, target)
		})
	}
}

func requireError(t *testing.T, err error) *proxy.Error {
	t.Helper()
	failed, ok := errors.AsType[*proxy.Error](err)
	require.True(t, ok, "%v", err)
	return failed
}

func TestTunnelFailures(t *testing.T) {
	answer := func(text string) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan struct{})
		go func() {
			defer close(served)
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = connection.Read(make([]byte, 4096))
				_, _ = io.WriteString(connection, text)
				_ = connection.Close()
			}
		}()
		t.Cleanup(func() {
			_ = listener.Close()
			<-served
		})
		return listener.Addr().String()
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	untrusted := httptest.NewUnstartedServer(nil)
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	tests := map[string]struct {
		proxy, text string
		status      int
		refused     bool
	}{
		"407":                  {"http://" + answer("HTTP/1.1 407 Secret\r\n\r\n"), "requires its user and password", 407, true},
		"502":                  {"http://" + answer("HTTP/1.1 502 Secret\r\n\r\n"), "opens no connection (HTTP 502 Bad Gateway)", 502, true},
		"redirect":             {"http://" + answer("HTTP/1.1 302 Secret\r\nLocation: http://secret\r\n\r\n"), "(HTTP 302 Found)", 302, true},
		"unknown status":       {"http://" + answer("HTTP/1.1 599 Secret\r\n\r\n"), "opens no connection (HTTP 599)", 599, true},
		"no HTTP":              {"http://" + answer("220 Secret ready\r\n"), "it does not answer as a proxy", 0, true},
		"nothing":              {"http://" + answer(""), "it does not answer as a proxy", 0, true},
		"endless header":       {"http://" + answer("HTTP/1.1 200 OK\r\nSecret: "+strings.Repeat("x", 100<<10)), "it does not answer as a proxy", 0, true},
		"bytes of its own":     {"http://" + answer("HTTP/1.1 200 OK\r\n\r\nSecret"), "it does not answer as a proxy", 0, true},
		"not reachable":        {closed.URL, "can't be reached: dial tcp", 0, false},
		"SOCKS, not reachable": {strings.Replace(closed.URL, "http:", "socks5:", 1), "can't be reached: dial tcp", 0, false},
		"SOCKS, another":       {"socks5h://" + answer("HTTP/1.1 400 Secret\r\n\r\n"), "opens no connection: unexpected protocol version", 0, true},
		"untrusted":            {untrusted.URL, "can't be reached: its TLS certificate", 0, false},
		"no TLS":               {"https://" + answer("HTTP/1.1 400 Secret\r\n\r\n"), "can't be reached: tls:", 0, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			through, err := url.Parse(test.proxy)
			require.NoError(t, err)
			through.User = url.UserPassword("me", password)
			_, err = proxy.Tunnel{Proxy: through}.DialContext(t.Context(), "tcp", target)
			failed := requireError(t, err)
			require.ErrorContains(t, err, test.text)
			assert.Equal(t, test.status, failed.Status)
			assert.Equal(t, test.refused, failed.Refused)
			assert.NotContains(t, err.Error(), password)
			assert.NotContains(t, err.Error(), "Secret")
		})
	}
}

// The proxy accepts the connection and sends nothing.
func TestSilentProxy(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	for _, scheme := range []string{"http", "https", "socks5"} {
		through := &url.URL{Scheme: scheme, Host: listener.Addr().String()}
		ctx, cancel := context.WithCancelCause(t.Context())
		given := errors.New("the attempt was given up")
		returned := make(chan error)
		go func() {
			_, err := proxy.Tunnel{Proxy: through}.DialContext(ctx, "tcp", target)
			returned <- err
		}()
		connection, err := listener.Accept()
		require.NoError(t, err)
		_, err = connection.Read(make([]byte, 1))
		require.NoError(t, err)
		cancel(given)
		require.ErrorIs(t, <-returned, given)
		require.NoError(t, connection.Close())
	}
}
