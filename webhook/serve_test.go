package webhook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/callback"
	"lumaflow/webhook"
)

// serve runs a fixture on a real port and returns its address. It is stopped
// with the test and must then have stopped cleanly.
func (f *fixture) serve(t *testing.T) (address string, stop func()) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() {
		stopped <- webhook.Serve(ctx, listener, f, slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}()
	stop = func() {
		if cancel != nil {
			cancel()
			cancel = nil
			assert.NoError(t, <-stopped)
		}
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

var nastyIDs = []string{
	"luma-4f2a", ".", "..", "...", "/", "//", "a/b", "/a/", "../../etc", "a/../b", "%", "%2F", "%2e%2e", "%zz", "100%",
	"a b", " ", "a+b", "a?b=c", "a#b", "a;b,c", "a&b=c", `a\b`, `"quoted"`, "{workflowID}", "a:b@c", "jobs/日本語/🎬", "é",
	"\x00", "a\nb", "a\r\nHost: x", "\t", "\x7f", "callbacks/luma/x/y", strings.Repeat("é", 500), strings.Repeat("/", 1000),
}

func TestEveryIDArrives(t *testing.T) {
	f := newFixture(t)
	address, _ := f.serve(t)
	minter, err := callback.NewMinter("http://"+address, f.secrets)
	require.NoError(t, err)
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		return fmt.Errorf("redirected to %s", r.URL)
	}}
	defer client.CloseIdleConnections()
	for i, id := range nastyIDs {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, minter.URL(namespace, id), strings.NewReader(success("t")))
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		requireAnswer(t, response, 200, "received")
		require.NoError(t, response.Body.Close())
		require.Len(t, f.temporal.seen(), i+1)
		assert.Equal(t, id, f.temporal.seen()[i].job)
		assert.NotContains(t, f.log.String(), f.token(id))
	}
	assert.Equal(t, len(nastyIDs)+1, strings.Count(f.log.String(), "\n"), "one line each, and the first one")
}

// TestHostileRequests sends what no HTTP client would and looks at the raw
// answer: never a redirect, never a signal, never the token in the log.
func TestHostileRequests(t *testing.T) {
	f := newFixture(t)
	address, _ := f.serve(t)
	id, token := url.PathEscape("a/b"), f.token("a/b")
	own := "/callbacks/luma/" + id + "/" + token
	tests := []struct {
		line string
		want int
	}{
		{"POST " + own, 200},
		{"POST http://elsewhere.example.org" + own, 200},
		{"POST " + strings.ReplaceAll(own, "%2F", "%2f"), 200},

		{"POST /" + own, 404},
		{"POST //callbacks//luma//" + id + "/" + token, 404},
		{"POST /." + own, 404},
		{"POST /x/.." + own, 404},
		{"POST /%2e%2e" + own, 404},
		{"POST /callbacks/./luma/" + id + "/" + token, 404},
		{"POST /callbacks/luma/../luma/" + id + "/" + token, 404},
		{"POST " + own + "/", 404},
		{"POST " + own + "//", 404},
		{"POST " + own + "/.", 404},
		{"POST " + own + "%2F", 401},
		{"POST " + own + "/..", 404},
		{"POST /callbacks/luma/" + id + "//" + token, 404},
		{"POST /callbacks/luma//" + token, 404},
		{"POST /callbacks/luma/a/b/" + token, 404},
		{"POST /callbacks/luma/" + id + "%2F" + token, 404},
		{"POST /callbacks%2Fluma/" + id + "/" + token, 404},
		{"POST /CALLBACKS/luma/" + id + "/" + token, 404},
		{"POST /callbacks/luma/a%252Fb/" + token, 401},
		{"POST /callbacks/luma/./" + token, 401},
		{"POST /callbacks/luma/../" + token, 401},
		{"POST /callbacks/luma/%2e%2e/" + token, 401},
		{"POST /callbacks/luma/" + token + "/" + id, 401},
		{"POST /callbacks/luma/" + token + "/" + token, 401},
		{"POST /callbacks/luma/" + token, 404},
		{"POST /callbacks/luma/" + id + "/" + token + "?/x", 200},
		{"POST /callbacks/luma/%zz/" + token, 400},
		{"POST *", 404},
		{"OPTIONS *", 404},
		{"CONNECT /callbacks", 404},
		{"GET " + own, 405},
		{"GET /", 404},
		{"GET /healthz", 200},
		{"GET /healthz/", 404},
		{"GET //healthz", 404},
		{"GET /metrics", 404},
		{"GET /debug/pprof/", 404},
		{"POST /" + strings.Repeat("x", 100_000) + own, 431},
	}
	signals := 0
	for _, test := range tests {
		name := test.line
		if len(name) > 120 {
			name = name[:120]
		}
		t.Run(name, func(t *testing.T) {
			body := success(fmt.Sprintf("task-%d", signals))
			raw := fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", test.line, len(body), body)
			response := exchange(t, address, raw)
			require.Equal(t, test.want, response.StatusCode)
			require.Empty(t, response.Header.Get("Location"))
			if test.want == 200 && strings.HasPrefix(test.line, "POST") {
				signals++
			}
			require.Len(t, f.temporal.seen(), signals)
			if signals > 0 {
				require.Equal(t, "a/b", f.temporal.seen()[signals-1].job)
			}
		})
	}
	assert.NotContains(t, f.log.String(), token)
	assert.Equal(t, 4, signals)
}

func exchange(t *testing.T, address, raw string) *http.Response {
	t.Helper()
	connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	// The server may answer and hang up before it has read everything.
	_, _ = io.WriteString(connection, raw)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	return response
}

func TestServeTellsItsAddress(t *testing.T) {
	f := newFixture(t)
	address, stop := f.serve(t)
	stop()
	assert.Contains(t, f.log.String(), `msg="webhook listening" address=`+address)
}

// TestServeDrains stops a webhook while a callback waits for Temporal: it is
// answered all the same, and nobody else gets in.
func TestServeDrains(t *testing.T) {
	f := newFixture(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	f.temporal.answer = func(context.Context) error {
		close(arrived)
		<-release
		return nil
	}
	address, stop := f.serve(t)

	status := make(chan int, 1)
	go func() {
		body := success("t")
		status <- exchange(t, address, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			f.path("j"), len(body), body)).StatusCode
	}()
	<-arrived
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
		}
		return err != nil
	}, waitFor, tick, "the port stays open")
	select {
	case <-stopped:
		t.Fatal("stopped without waiting for the callback")
	default:
	}
	close(release)
	assert.Equal(t, 200, <-status)
	<-stopped
}

func TestServeReportsABrokenListener(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = webhook.Serve(t.Context(), listener, newFixture(t), slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, net.ErrClosed)
}
