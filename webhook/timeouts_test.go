package webhook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/webhook"
)

// pipes is an in-memory listener, as synctest requires.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func TestSlowSendersAreCutOff(t *testing.T) {
	f := newFixture(t)
	tests := []struct {
		name, sent string
		within     time.Duration
	}{
		{"nothing sent", "", 5 * time.Second},
		{"half a header", "POST " + f.path("j") + " HTTP/1.1\r\nHost:", 5 * time.Second},
		{"half a body", "POST " + f.path("j") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 8 * time.Second},
		{"half a body without a valid token", "POST " + f.path("j") + "x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 2 * time.Second},
		{"idle", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := newPipes()
				ctx, cancel := context.WithCancel(t.Context())
				served := make(chan error, 1)
				go func() { served <- webhook.Serve(ctx, listener, f, slog.New(slog.DiscardHandler)) }()

				start := time.Now()
				client := listener.dial()
				go func() { _, _ = io.WriteString(client, test.sent) }()
				_, err := io.Copy(io.Discard, client)
				require.NoError(t, err)
				// net/http closes a connection half a second after its last write.
				assert.InDelta(t, test.within.Seconds(), time.Since(start).Seconds(), 0.6)

				_ = client.Close()
				cancel()
				assert.NoError(t, <-served)
			})
		})
	}
	assert.Empty(t, f.temporal.recorded())
}

// The slowest body that is allowed and a Temporal that does not answer leave time
// for an answer: kie.ai documents a timeout of 15 s.
func TestAnswerWithinTimeoutOfKie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.temporal.answer = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		listener := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- webhook.Serve(ctx, listener, f, slog.New(slog.DiscardHandler)) }()

		start := time.Now()
		client := listener.dial()
		go func() {
			body := success("t")
			_, _ = fmt.Fprintf(client, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", f.path("j"), len(body))
			time.Sleep(7 * time.Second)
			_, _ = io.WriteString(client, body)
		}()
		response, err := http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		requireAnswer(t, response, 503, "try again")
		assert.Equal(t, 10*time.Second, time.Since(start))
		_ = client.Close()
		cancel()
		assert.NoError(t, <-served)
	})
}

// A callback that never ends does not block the drain.
func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		stuck := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
		listener := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		log := new(output)
		go func() { served <- webhook.Serve(ctx, listener, stuck, slog.New(slog.NewTextHandler(log, nil))) }()
		client := listener.dial()
		_, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		synctest.Wait()

		start := time.Now()
		cancel()
		require.NoError(t, <-served)
		assert.Equal(t, 20*time.Second, time.Since(start))
		assert.Contains(t, log.String(), "requests in flight")
		close(release)
		_ = client.Close()
	})
}

// The errors of net/http reach the logger, without the path.
func TestServerErrorsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(1) })
		listener := newPipes()
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		log := new(output)
		go func() { served <- webhook.Serve(ctx, listener, failing, slog.New(slog.NewTextHandler(log, nil))) }()
		client := listener.dial()
		_, err := io.WriteString(client, "GET /callbacks/luma/x/tok3n-of-this-test HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, client)
		require.NoError(t, err)
		_ = client.Close()
		cancel()
		require.NoError(t, <-served)
		assert.Contains(t, log.String(), "level=WARN")
		assert.Contains(t, log.String(), "panic serving")
		assert.NotContains(t, log.String(), "tok3n-of-this-test")
	})
}
