package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// balancer distributes callbacks to several webhooks. It forwards a request to one
// that was ready at the last check, at most a second ago, and retries none.
type balancer struct {
	url string

	mu       sync.Mutex
	backends []*backend
	received int
}

// backend is a webhook with the URL of its callbacks and that of its readiness.
type backend struct {
	callbacks *url.URL
	readiness string
	ready     bool
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(b.next()) }})
	t.Cleanup(server.Close)
	b.url = server.URL
	stop := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
				b.check()
			}
		}
	})
	t.Cleanup(func() { close(stop); watch.Wait() })
	return b
}

// add adds a webhook that is ready.
func (b *balancer) add(t *testing.T, callbacks, readiness string) {
	t.Helper()
	where, err := url.Parse(callbacks)
	require.NoError(t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = append(b.backends, &backend{where, readiness, true})
}

// remove removes a webhook that has ended: other processes may use its ports.
func (b *balancer) remove(callbacks string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// check may be iterating over the old slice.
	b.backends = slices.DeleteFunc(slices.Clone(b.backends), func(at *backend) bool { return at.callbacks.String() == callbacks })
}

// next returns the ready webhooks in turn.
func (b *balancer) next() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received++
	for i := range b.backends {
		if at := b.backends[(b.received+i)%len(b.backends)]; at.ready {
			return at.callbacks
		}
	}
	// No process listens on port 1, so the callback fails.
	return &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
}

// check requests the readiness of all webhooks.
func (b *balancer) check() {
	b.mu.Lock()
	backends := slices.Clone(b.backends)
	b.mu.Unlock()
	for _, at := range backends {
		response, err := http.Get(at.readiness)
		ready := err == nil && response.StatusCode == http.StatusOK
		if err == nil {
			_ = response.Body.Close()
		}
		b.mu.Lock()
		at.ready = ready
		b.mu.Unlock()
	}
}

// requests counts the received requests.
func (b *balancer) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.received
}
