package kie_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
)

const accepted = "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n" + `{"code":200,"data":{"taskId":"abcdefghij"}}`

// rawServer passes every connection to serve, and counts the connections and the
// requests that serve reads with its second argument.
type rawServer struct {
	listener              net.Listener
	connections, requests atomic.Int32
}

func newRawServer(t *testing.T, serve func(conn *net.TCPConn, read func() error)) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &rawServer{listener: listener}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			server.connections.Add(1)
			context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			running.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				serve(conn.(*net.TCPConn), func() error {
					request, err := http.ReadRequest(reader)
					if err != nil {
						return err
					}
					server.requests.Add(1)
					_, err = io.Copy(io.Discard, request.Body)
					return err
				})
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return server
}

func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() }

// Whatever way the response is lost, the server has received one request and the
// error is Unknown.
func TestSubmitLostAnswer(t *testing.T) {
	tests := map[string]func(*net.TCPConn){
		"closed":          func(*net.TCPConn) {},
		"reset":           func(conn *net.TCPConn) { _ = conn.SetLinger(0) },
		"half a status":   func(conn *net.TCPConn) { _, _ = io.WriteString(conn, "HTTP/1.1 20") },
		"half of headers": func(conn *net.TCPConn) { _, _ = io.WriteString(conn, accepted[:30]) },
		"half of a body":  func(conn *net.TCPConn) { _, _ = io.WriteString(conn, accepted[:len(accepted)-9]) },
		"not HTTP":        func(conn *net.TCPConn) { _, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9\r\n") },
		"endless headers": func(conn *net.TCPConn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
			for range 2000 {
				_, _ = fmt.Fprintf(conn, "X-Filler: %0100d\r\n", 0)
			}
		},
		"wrong encoding": func(conn *net.TCPConn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno")
		},
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			server := newRawServer(t, func(conn *net.TCPConn, read func() error) {
				if read() == nil {
					fail(conn)
				}
			})
			client := newClient(t, kie.Options{BaseURL: server.url()})
			id, err := client.Submit(t.Context(), request)
			assert.Empty(t, id)
			assert.Equal(t, kie.Unknown, requireError(t, err).Class)
			assert.EqualValues(t, 1, server.requests.Load(), "requests")
			assert.EqualValues(t, 1, server.connections.Load(), "connections")
		})
	}
}

// A complete answer counts even if its connection breaks after it.
func TestSubmitCompleteAnswerOnABadConnection(t *testing.T) {
	server := newRawServer(t, func(conn *net.TCPConn, read func() error) {
		if read() == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n"+`{"code":200,"data":{"taskId":"abc"}}`)
		}
	})
	id, err := newClient(t, kie.Options{BaseURL: server.url()}).Submit(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, "abc", id)
}

// net/http repeats a request on its own if the server closes a kept-alive
// connection during the second request.
func TestSubmitNeverReusesAConnection(t *testing.T) {
	server := newRawServer(t, func(conn *net.TCPConn, read func() error) {
		if read() == nil {
			_, _ = io.WriteString(conn, accepted)
		}
		if read() == nil {
			_ = conn.SetLinger(0)
		}
	})
	for name, transport := range map[string]http.RoundTripper{"own transport": nil, "given transport": &http.Transport{}} {
		t.Run(name, func(t *testing.T) {
			before, connections := server.requests.Load(), server.connections.Load()
			client := newClient(t, kie.Options{BaseURL: server.url(), Transport: transport})
			for range 3 {
				_, err := client.Submit(t.Context(), request)
				require.NoError(t, err)
			}
			assert.EqualValues(t, 3, server.requests.Load()-before, "requests")
			assert.EqualValues(t, 3, server.connections.Load()-connections, "connections")
		})
	}
}

func TestSubmitUsesHTTP1(t *testing.T) {
	var proto atomic.Value
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto.Store(r.Proto)
		_, _ = io.WriteString(w, `{"code":200,"data":{"taskId":"abc"}}`)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := newClient(t, kie.Options{BaseURL: server.URL, Transport: server.Client().Transport})
	_, err := client.Credit(t.Context())
	require.Error(t, err)
	require.Equal(t, "HTTP/2.0", proto.Load(), "the server supports HTTP/2")

	_, err = client.Submit(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", proto.Load())
}

func TestSubmitFollowsNoRedirect(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			var first, second atomic.Int32
			target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { second.Add(1) }))
			defer target.Close()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				first.Add(1)
				http.Redirect(w, r, target.URL, status)
			}))
			defer server.Close()
			client := newClient(t, kie.Options{BaseURL: server.URL, UploadBaseURL: server.URL})

			_, err := client.Submit(t.Context(), request)
			class := kie.Refused
			if status == 303 {
				class = kie.Unknown
			}
			assert.Equal(t, class, requireError(t, err).Class)
			_, err = client.Record(t.Context(), "", taskID)
			_ = requireError(t, err)
			_, err = client.Upload(t.Context(), kie.Upload{Name: "a.mp4", Body: &io.LimitedReader{}})
			_ = requireError(t, err)
			assert.Zero(t, second.Load(), "a redirect was followed with the API key")
			if status != 303 {
				assert.EqualValues(t, 3, first.Load())
			}
		})
	}
}

// net/http repeats a POST only with both GetBody and an idempotency key.
func TestSubmitBodyCannotBeRewound(t *testing.T) {
	client := newClient(t, kie.Options{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		assert.Nil(t, r.GetBody)
		assert.NotContains(t, r.Header, "Idempotency-Key")
		assert.NotContains(t, r.Header, "X-Idempotency-Key")
		return nil, io.ErrUnexpectedEOF
	})})
	_, err := client.Submit(t.Context(), request)
	_ = requireError(t, err)
}
