// Package proxytest runs proxies that record their targets, and certificates for hosts
// that tests reach only through them.
package proxytest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Options of a proxy.
type Options struct {
	// Route returns the address to connect to for a target, host:port, or the HTTP
	// status of the refusal.
	Route func(target string) (address string, refusal int)
	// User, if not nil, is required.
	User *url.Userinfo
}

// Proxy is a running proxy.
type Proxy struct {
	// URL has the user of the options.
	URL *url.URL

	options Options
	tunnels sync.WaitGroup

	mu      sync.Mutex
	targets []string
	open    []net.Conn
	closed  bool
}

// To routes all targets to one address.
func To(address string) func(string) (string, int) {
	return func(string) (string, int) { return address, 0 }
}

// Refuse refuses all targets.
func Refuse(status int) func(string) (string, int) {
	return func(string) (string, int) { return "", status }
}

// New runs an HTTP proxy. It serves CONNECT, and GET and POST of absolute URLs.
func New(t testing.TB, options Options) *Proxy {
	t.Helper()
	p := &Proxy{options: options}
	return p.start(t, httptest.NewServer(http.HandlerFunc(p.serve)))
}

func (p *Proxy) start(t testing.TB, server *httptest.Server) *Proxy {
	t.Helper()
	var err error
	p.URL, err = url.Parse(server.URL)
	require.NoError(t, err)
	p.URL.User = p.options.User
	t.Cleanup(func() {
		server.Close()
		p.closeTunnels()
		p.tunnels.Wait()
	})
	return p
}

// Targets are the targets of all requests in their order, refused ones included.
func (p *Proxy) Targets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.targets...)
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	// Server.Close does not wait for a handler that has taken its connection.
	p.tunnels.Add(1)
	defer p.tunnels.Done()
	if user := p.options.User; user != nil {
		password, _ := user.Password()
		header := http.Header{"Authorization": r.Header["Proxy-Authorization"]}
		gotUser, gotPassword, _ := (&http.Request{Header: header}).BasicAuth()
		if gotUser != user.Username() || gotPassword != password {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
	}
	address, refusal := p.route(r.Host)
	if refusal != 0 {
		w.WriteHeader(refusal)
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if r.Method != http.MethodConnect {
		forward(w, r, server)
		return
	}
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.join(client, server)
}

func (p *Proxy) route(target string) (address string, refusal int) {
	p.mu.Lock()
	p.targets = append(p.targets, target)
	p.mu.Unlock()
	return p.options.Route(target)
}

// forward sends a request with an absolute URL on.
func forward(w http.ResponseWriter, r *http.Request, server net.Conn) {
	transport := &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return server, nil },
		DisableKeepAlives: true,
	}
	r.RequestURI = ""
	response, err := transport.RoundTrip(r)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// join copies in both directions until either side ends.
func (p *Proxy) join(client, server net.Conn) {
	p.track(client, server)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		p.tunnels.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		})
	}
}

// track has the connections closed when the proxy is.
func (p *Proxy) track(connections ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, connections...)
	for _, connection := range connections {
		if p.closed {
			_ = connection.Close()
		}
	}
}

func (p *Proxy) closeTunnels() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, connection := range p.open {
		_ = connection.Close()
	}
}

// AssertTargets compares the targets.
func (p *Proxy) AssertTargets(t testing.TB, want ...string) {
	t.Helper()
	assert.Equal(t, append([]string(nil), want...), p.Targets())
}
