package webhook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie"
	"lumaflow/webhook"
)

const maxConnections = 2000

// serveIn runs the fixture on in-memory connections in a bubble of synctest.
func (f *fixture) serveIn(t *testing.T) *pipes {
	t.Helper()
	listener := newPipes()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- webhook.Serve(ctx, listener, f, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-served)
	})
	return listener
}

// occupy opens a connection, sends the start of a request and then, if slow is set, a
// byte every 100 ms. closed is closed when the server has closed the connection.
func (p *pipes) occupy(t *testing.T, start string, slow bool) (closed chan struct{}) {
	t.Helper()
	conn := p.dial()
	closed = make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		_, err := io.WriteString(conn, start)
		for err == nil && slow {
			time.Sleep(100 * time.Millisecond)
			_, err = io.WriteString(conn, " ")
		}
	})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		sending.Wait()
		close(closed)
	}()
	t.Cleanup(func() { _ = conn.Close(); <-closed })
	return closed
}

// deliver sends a whole callback and returns the status and the time to its answer.
func (p *pipes) deliver(t *testing.T, path, body string) (status int, after time.Duration) {
	t.Helper()
	start := time.Now()
	response, err := p.post(path, body)
	require.NoError(t, err)
	return response.StatusCode, time.Since(start)
}

func (p *pipes) post(path, body string) (*http.Response, error) {
	conn := p.dial()
	defer conn.Close()
	go func() {
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}()
	return http.ReadResponse(bufio.NewReader(conn), nil)
}

// Slow bodies with the valid token of one job delay no callback, of that job or of
// another one, and are cut off.
func TestSlowBodiesDelayNoCallback(t *testing.T) {
	large := success("large") + strings.Repeat(" ", 100<<10)
	tests := map[string]struct {
		length, sent int
		genuine      string
	}{
		"small":                   {length: 1000, sent: 1, genuine: success("t")},
		"small, a large callback": {length: 1000, sent: 1, genuine: large},
		"large":                   {length: kie.MaxBody, sent: 32 << 10, genuine: success("t")},
		"large, a large callback": {length: kie.MaxBody, sent: 32 << 10, genuine: large},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				listener := f.serveIn(t)
				began := time.Now()
				var slow []chan struct{}
				for range 2 * 256 {
					slow = append(slow, listener.occupy(t, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
						f.path("leaked"), test.length, strings.Repeat(" ", test.sent)), true))
				}
				for range 7 {
					time.Sleep(time.Second)
					synctest.Wait()
					status, after := listener.deliver(t, f.path("other"), test.genuine)
					assert.Equal(t, 200, status)
					assert.Zero(t, after)
				}
				status, after := listener.deliver(t, f.path("leaked"), success("t"))
				assert.Equal(t, 200, status)
				assert.Zero(t, after)
				for _, closed := range slow {
					<-closed
				}
				assert.InDelta(t, 8, time.Since(began).Seconds(), 0.6)
			})
		})
	}
}

// Connections that send nothing, half a header, a slow body with or without the
// token, or are idle, keep no callback out: the one that waits longest is closed.
func TestConnectionsAreBounded(t *testing.T) {
	for _, test := range []struct{ name, start string }{
		{"silent", ""},
		{"half a header", "POST /callbacks"},
		{"slow body", "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"},
		{"slow body without a valid token", "POST %sx HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"},
		{"idle", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				listener := f.serveIn(t)
				start := strings.Replace(test.start, "%s", f.path("j"), 1)
				var closed []chan struct{}
				for range maxConnections {
					closed = append(closed, listener.occupy(t, start, false))
				}
				time.Sleep(time.Second)
				synctest.Wait()
				require.Zero(t, count(closed), "the limit is not below 2,000")
				status, after := listener.deliver(t, f.path("j"), success("t"))
				assert.Equal(t, 200, status)
				assert.Zero(t, after)
				synctest.Wait()
				assert.Equal(t, 1, count(closed), "one connection is closed for the callback")
				<-closed[0]
			})
		})
	}
}

// A callback whose signal is in flight keeps its connection, and its place is free
// after the answer.
func TestCallbackInProcessKeepsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		release := make(chan struct{})
		f.temporal.answer = func(context.Context) error {
			<-release
			return nil
		}
		listener := f.serveIn(t)
		answered := make(chan int, 1)
		go func() {
			response, err := listener.post(f.path("j"), success("t"))
			if assert.NoError(t, err) {
				answered <- response.StatusCode
			}
			close(answered)
		}()
		synctest.Wait()
		require.Len(t, f.temporal.recorded(), 1)
		var closed []chan struct{}
		for range maxConnections + 10 {
			closed = append(closed, listener.occupy(t, "", false))
		}
		synctest.Wait()
		assert.Equal(t, 11, count(closed))
		close(release)
		assert.Equal(t, 200, <-answered)
		synctest.Wait()
		listener.occupy(t, "", false)
		synctest.Wait()
		assert.Equal(t, 11, count(closed), "the answered connection made room")
	})
}

// A callback on the connection that was idle for longest, as from a proxy, is read to its
// end while further connections come.
func TestCallbackOnAnIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		listener := f.serveIn(t)
		conn := listener.dial()
		defer conn.Close()
		answers := bufio.NewReader(conn)
		exchange := func(request string) int {
			_, err := io.WriteString(conn, request)
			require.NoError(t, err)
			response, err := http.ReadResponse(answers, nil)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			return response.StatusCode
		}
		require.Equal(t, 200, exchange("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
		for range maxConnections - 1 {
			listener.occupy(t, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", false)
		}
		synctest.Wait()
		body := success("t")
		_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", f.path("j"), len(body), body[:10])
		require.NoError(t, err)
		synctest.Wait()
		for range 10 {
			listener.occupy(t, "", false)
		}
		synctest.Wait()
		assert.Equal(t, 200, exchange(body[10:]))
	})
}

func count(closed []chan struct{}) (n int) {
	for _, end := range closed {
		select {
		case <-end:
			n++
		default:
		}
	}
	return n
}
