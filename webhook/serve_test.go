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

// serve runs a fixture on a real port and returns its address. The end of the test
// stops it and fails the test if it does not stop cleanly.
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

var hostileIDs = []string{
	"luma-4f2a", ".", "..", "...", "/", "//", "a/b", "/a/", "../../etc", "a/../b", "%", "%2F", "%2e%2e", "%zz", "100%",
	"a b", " ", "a+b", "a?b=c", "a#b", "a;b,c", "a&b=c", `a\b`, `"quoted"`, "{workflowID}", "a:b@c", "jobs/日本語/🎬", "é",
	"\x00", "a\nb", "a\r\nHost: x", "\t", "\x7f", "callbacks/luma/x/y", strings.Repeat("é", 500), strings.Repeat("/", 1000),
}

func TestEveryJobIDIsRouted(t *testing.T) {
	f := newFixture(t)
	address, _ := f.serve(t)
	minter, err := callback.NewMinter("http://"+address, f.secrets)
	require.NoError(t, err)
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		return fmt.Errorf("redirected to %s", r.URL)
	}}
	defer client.CloseIdleConnections()
	for i, id := range hostileIDs {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, minter.URL(namespace, id), strings.NewReader(success("t")))
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		requireAnswer(t, response, 200, "received")
		require.NoError(t, response.Body.Close())
		require.Len(t, f.temporal.recorded(), i+1)
		assert.Equal(t, id, f.temporal.recorded()[i].job)
		assert.NotContains(t, f.log.String(), f.token(id))
	}
	assert.Equal(t, len(hostileIDs)+1, strings.Count(f.log.String(), "\n"), "one line per callback after the first line")
}

// Requests that no HTTP client sends get no redirect and cause no signal, and the
// log never holds the token.
func TestHostileRequests(t *testing.T) {
	f := newFixture(t)
	address, _ := f.serve(t)
	id, token := url.PathEscape("a/b"), f.token("a/b")
	path := "/callbacks/luma/" + id + "/" + token
	tests := []struct {
		line string
		want int
	}{
		{"POST " + path, 200},
		{"POST http://elsewhere.example.org" + path, 200},
		{"POST " + strings.ReplaceAll(path, "%2F", "%2f"), 200},

		{"POST /" + path, 404},
		{"POST //callbacks//luma//" + id + "/" + token, 404},
		{"POST /." + path, 404},
		{"POST /x/.." + path, 404},
		{"POST /%2e%2e" + path, 404},
		{"POST /callbacks/./luma/" + id + "/" + token, 404},
		{"POST /callbacks/luma/../luma/" + id + "/" + token, 404},
		{"POST " + path + "/", 404},
		{"POST " + path + "//", 404},
		{"POST " + path + "/.", 404},
		{"POST " + path + "%2F", 401},
		{"POST " + path + "/..", 404},
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
		{"GET " + path, 405},
		{"GET /", 404},
		{"GET /healthz", 200},
		{"GET /healthz/", 404},
		{"GET //healthz", 404},
		{"GET /metrics", 404},
		{"GET /debug/pprof/", 404},
		{"POST /" + strings.Repeat("x", 100_000) + path, 431},
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
			require.Len(t, f.temporal.recorded(), signals)
			if signals > 0 {
				require.Equal(t, "a/b", f.temporal.recorded()[signals-1].job)
			}
		})
	}
	assert.NotContains(t, f.log.String(), token)
	assert.Equal(t, 4, signals)
}

func exchange(t *testing.T, address, raw string) *http.Response {
	t.Helper()
	response, err := send(t.Context(), address, raw)
	require.NoError(t, err)
	return response
}

func send(ctx context.Context, address, raw string) (*http.Response, error) {
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	// The server may answer and close before it has read everything.
	_, _ = io.WriteString(connection, raw)
	return http.ReadResponse(bufio.NewReader(connection), nil)
}

func TestServeLogsItsAddress(t *testing.T) {
	f := newFixture(t)
	address, stop := f.serve(t)
	stop()
	assert.Contains(t, f.log.String(), `msg="webhook listening" address=`+address)
}

// A callback in flight at the stop is answered, and no further connection is
// accepted.
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
		defer close(status)
		body := success("t")
		response, err := send(t.Context(), address, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			f.path("j"), len(body), body))
		if assert.NoError(t, err) {
			status <- response.StatusCode
		}
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
			_ = connection.Close()
		}
		return err != nil
	}, waitFor, tick, "the port stays open")
	select {
	case <-stopped:
		t.Fatal("stopped before the answer to the callback")
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
