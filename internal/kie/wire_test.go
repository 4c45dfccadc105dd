package kie_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

func TestSubmitNotSent(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refused.Close())
	plain := newRawServer(t, func(conn *net.TCPConn, read func() error) {
		_, _ = io.WriteString(conn, "220 ready\r\n")
		_ = read()
	})
	var reached atomic.Int32
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodConnect, r.Method)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	proxyURL, err := url.Parse(proxy.URL)
	require.NoError(t, err)

	tests := map[string]kie.Options{
		"connection refused": {BaseURL: "http://" + refused.Addr().String()},
		"no such host": {BaseURL: "https://api.kie.invalid", Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.DNSError{Err: "no such host", Name: "api.kie.invalid", IsNotFound: true}
			},
		}},
		"no TLS":                {BaseURL: "https://" + plain.listener.Addr().String()},
		"untrusted certificate": {BaseURL: untrusted.URL},
		"wrong host name": {BaseURL: untrusted.URL, Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: untrusted.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "api.kie.ai"},
		}},
		"proxy refuses": {BaseURL: "https://api.kie.invalid", Transport: &http.Transport{Proxy: http.ProxyURL(proxyURL)}},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, options).Submit(t.Context(), request)
			failed := requireError(t, err)
			assert.Equal(t, kie.NotSent, failed.Class, failed)
			require.Error(t, failed.Err)
			assert.Contains(t, err.Error(), "submit: nothing was sent: ")
		})
	}
	assert.Zero(t, plain.requests.Load())
	assert.Zero(t, reached.Load())

	t.Run("cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := newClient(t, kie.Options{BaseURL: untrusted.URL}).Submit(ctx, request)
		assert.Equal(t, kie.NotSent, requireError(t, err).Class)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// pipes dials in-memory connections, which work with a fake clock.
func pipes(t *testing.T, serve func(net.Conn)) *http.Transport {
	t.Helper()
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		running.Go(func() {
			defer theirs.Close()
			serve(theirs)
		})
		return ours, nil
	}}
}

func readRequest(conn net.Conn) error {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err
}

func waitForEnd(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func TestSubmitTimesOut(t *testing.T) {
	tests := map[string]func(net.Conn){
		"a byte is read": func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1))
			// A pipe has no buffer: the rest of the request blocks.
			<-time.After(time.Hour)
		},
		"no answer": func(conn net.Conn) {
			_ = readRequest(conn)
			waitForEnd(conn)
		},
		"body stalls": func(conn net.Conn) {
			_ = readRequest(conn)
			_, _ = io.WriteString(conn, accepted[:len(accepted)-5])
			waitForEnd(conn)
		},
		"endless body": func(conn net.Conn) {
			_ = readRequest(conn)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			for {
				<-time.After(time.Second)
				if _, err := io.WriteString(conn, " "); err != nil {
					return
				}
			}
		},
	}
	for name, serve := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, kie.Options{BaseURL: "http://api.kie.test", Transport: pipes(t, serve)})
				begin := time.Now()
				_, err := client.Submit(t.Context(), request)
				assert.Equal(t, kie.Unknown, requireError(t, err).Class)
				assert.LessOrEqual(t, time.Since(begin), 2*time.Minute, "the default timeout")

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin = time.Now()
				_, err = client.Submit(ctx, request)
				assert.Equal(t, kie.Unknown, requireError(t, err).Class)
				assert.LessOrEqual(t, time.Since(begin), time.Second)
			})
		})
	}
}

// The connection is established after the caller's deadline.
func TestSubmitSendsNothingAfterItReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		received := make(chan int, 1)
		client := newClient(t, kie.Options{BaseURL: "http://api.kie.test", Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				<-release
				ours, theirs := net.Pipe()
				go func() {
					n, _ := io.Copy(io.Discard, theirs)
					received <- int(n)
				}()
				return ours, nil
			},
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := client.Submit(ctx, request)
		assert.Equal(t, kie.NotSent, requireError(t, err).Class)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(release)
		assert.Zero(t, <-received, "bytes were sent after Submit returned NotSent")
	})
}

func TestWatchedConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	go waitForEnd(theirs)

	watched, _, seal := kie.Watch(ours)
	_, err := watched.Write([]byte("handshake"))
	require.NoError(t, err)
	assert.False(t, seal(), "handshake bytes are not part of the request")
	_, err = watched.Write([]byte("request"))
	require.Error(t, err, "a write after seal")

	watched, connected, seal := kie.Watch(ours)
	connected()
	_, err = watched.Write([]byte("request"))
	require.NoError(t, err)
	assert.True(t, seal())
	_, err = watched.Write([]byte("more"))
	require.Error(t, err)
	assert.True(t, seal())
}

func TestSubmitUnobservedFailuresAreUnknown(t *testing.T) {
	broken := errors.New("broken")
	tests := map[string]kie.Options{
		"a transport of another kind": {Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, broken })},
		"a TLS dialer of its own": {BaseURL: "https://api.kie.test", Transport: &http.Transport{
			DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return newBrokenConn(broken), nil },
		}},
		"a write that fails": {BaseURL: "http://api.kie.test", Transport: &http.Transport{
			DialContext: func(context.Context, string, string) (net.Conn, error) { return newBrokenConn(broken), nil },
		}},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newClient(t, options).Submit(t.Context(), request)
			assert.Equal(t, kie.Unknown, requireError(t, err).Class)
			require.ErrorIs(t, err, broken)
		})
	}
}

// brokenConn fails every Write; one end of a pipe serves the other methods.
type brokenConn struct {
	net.Conn
	err error
}

func newBrokenConn(err error) brokenConn {
	ours, _ := net.Pipe()
	return brokenConn{ours, err}
}

func (c brokenConn) Write([]byte) (int, error) { return 0, c.err }
