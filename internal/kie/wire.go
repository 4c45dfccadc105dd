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
)

const (
	connectTimeout   = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	// maxHeader bounds, in bytes, the headers of an answer.
	maxHeader = 64 << 10
)

var errSealed = errors.New("the request was given up")

// newTransport is the transport for everything but submissions.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    handshakeTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    16,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// wire watches the connection of one request and knows whether any byte of the
// request was handed to it. It counts a write that is tried as a byte that was
// sent, whatever the write returned.
type wire struct {
	mu sync.Mutex
	// ready is set when connecting, the proxy and TLS are done: what is written
	// from then on is the request.
	ready   bool
	written bool
	sealed  bool
}

// watch returns a context in which the request must be sent.
func (w *wire) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) { w.connected(got.Conn) },
	})
}

// transport returns a transport for the request: a fresh HTTP/1.1 connection
// that serves nothing else. net/http repeats requests on its own only over
// connections that were used before, and over HTTP/2.
func (w *wire) transport(base http.RoundTripper) http.RoundTripper {
	known, ok := base.(*http.Transport)
	if !ok {
		return opaque{base, w}
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
	// The clone still offers what its original negotiates.
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

// seal ends the watch: no byte of the request passes any more. It reports
// whether one had passed before.
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
	// A connection that can't be watched proves nothing.
	w.written = true
}

func (w *wire) pass() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sealed {
		return errSealed
	}
	w.written = w.written || w.ready
	return nil
}

// wireConn lies under TLS, if there is any.
type wireConn struct {
	net.Conn
	wire *wire
}

func (c wireConn) Write(bytes []byte) (int, error) {
	if err := c.wire.pass(); err != nil {
		return 0, err
	}
	return c.Conn.Write(bytes)
}

// opaque is a RoundTripper that can't be watched.
type opaque struct {
	http.RoundTripper
	wire *wire
}

func (o opaque) RoundTrip(request *http.Request) (*http.Response, error) {
	o.wire.connected(nil)
	return o.RoundTripper.RoundTrip(request)
}
