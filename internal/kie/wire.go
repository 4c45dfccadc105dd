package kie

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"lumaflow/internal/proxy"
)

const (
	connectTimeout   = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	// maxHeader bounds, in bytes, the headers of an answer.
	maxHeader = 64 << 10
)

var errSealed = errors.New("the request was given up")

// newTransport is the transport for everything but submissions. Its error names the
// variable of a malformed proxy.
func newTransport() (*http.Transport, error) {
	proxies, err := proxy.FromEnvironment()
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  proxies.ForRequest,
		OnProxyConnectResponse: proxy.CheckConnect,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: maxHeader,
	}, nil
}

// wire observes the connection of one request and records whether any byte of the
// request was handed to it. An attempted write counts as sent, whatever it
// returned.
type wire struct {
	// permit must succeed before the first byte; nil permits.
	permit func() error
	mu     sync.Mutex
	// ready is set after connect, proxy and TLS handshakes: bytes written from
	// then on are the request's.
	ready   bool
	written bool
	sealed  bool
}

// watch returns the context to send the request with.
func (w *wire) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { w.connected(got.Conn) },
	})
}

// transport returns a transport that sends the request over a new HTTP/1.1
// connection and closes it afterwards. net/http repeats requests on its own only
// over reused connections, and over HTTP/2.
func (w *wire) transport(base http.RoundTripper) http.RoundTripper {
	known, ok := base.(*http.Transport)
	if !ok {
		return opaqueTransport{base: base, wire: w}
	}
	fresh := known.Clone()
	fresh.DisableKeepAlives = true
	fresh.DisableCompression = true
	fresh.ForceAttemptHTTP2 = false
	fresh.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	fresh.Protocols = new(http.Protocols)
	fresh.Protocols.SetHTTP1(true)
	if fresh.TLSClientConfig == nil {
		fresh.TLSClientConfig = new(tls.Config)
	}
	// The clone's TLS configuration still offers HTTP/2.
	fresh.TLSClientConfig.NextProtos = []string{"http/1.1"}
	dial := fresh.DialContext
	if dial == nil {
		dial = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	fresh.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wireConn{conn, w}, nil
	}
	return fresh
}

// seal rejects all further writes. It reports whether a byte of the request was
// written before.
func (w *wire) seal() (written bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sealed = true
	return w.written
}

func (w *wire) connected(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ready = true
	for conn != nil {
		if ours, ok := conn.(wireConn); ok && ours.wire == w {
			return
		}
		layer, ok := conn.(*tls.Conn)
		if !ok {
			break
		}
		conn = layer.NetConn()
	}
	// A connection that bypasses wireConn can't prove that nothing was sent.
	w.written = true
}

func (w *wire) beforeWrite() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sealed {
		return errSealed
	}
	if w.written || !w.ready {
		return nil
	}
	if w.permit != nil {
		if err := w.permit(); err != nil {
			w.sealed = true
			return err
		}
	}
	w.written = true
	return nil
}

// wireConn is the connection below TLS, if any.
type wireConn struct {
	net.Conn
	wire *wire
}

func (c wireConn) Write(bytes []byte) (int, error) {
	if err := c.wire.beforeWrite(); err != nil {
		return 0, err
	}
	return c.Conn.Write(bytes)
}

// opaqueTransport is a RoundTripper whose connections can't be observed.
type opaqueTransport struct {
	base http.RoundTripper
	wire *wire
}

func (t opaqueTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if permit := t.wire.permit; permit != nil {
		if err := permit(); err != nil {
			_ = request.Body.Close()
			return nil, err
		}
	}
	t.wire.connected(nil)
	return t.base.RoundTrip(request)
}
