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

// balancer stands in front of several webhooks. It sends a request to one of
// those that were ready when it last looked, a second ago at most, and never
// tries another.
type balancer struct {
	url string

	mu       sync.Mutex
	backends []*backend
	received int
}

// backend is a webhook: where it takes callbacks and where it tells whether it
// is ready.
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
				b.look()
			}
		}
	})
	t.Cleanup(func() { close(stop); watch.Wait() })
	return b
}

// add takes a webhook in that is ready.
func (b *balancer) add(t *testing.T, callbacks, readiness string) {
	t.Helper()
	where, err := url.Parse(callbacks)
	require.NoError(t, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backends = append(b.backends, &backend{where, readiness, true})
}

// remove forgets a webhook that has ended: its ports may be somebody else's now.
func (b *balancer) remove(callbacks string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	// look may be going through the old ones.
	b.backends = slices.DeleteFunc(slices.Clone(b.backends), func(at *backend) bool { return at.callbacks.String() == callbacks })
}

// next takes turns among the webhooks that are ready.
func (b *balancer) next() *url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.received++
	for i := range b.backends {
		if at := b.backends[(b.received+i)%len(b.backends)]; at.ready {
			return at.callbacks
		}
	}
	// Nobody listens there, so the callback counts as failed.
	return &url.URL{Scheme: "http", Host: "127.0.0.1:1"}
}

// look asks all webhooks.
func (b *balancer) look() {
	b.mu.Lock()
	backends := slices.Clone(b.backends)
	b.mu.Unlock()
	for _, at := range backends {
		response, err := http.Get(at.readiness)
		ready := err == nil && response.StatusCode == http.StatusOK
		if err == nil {
			response.Body.Close()
		}
		b.mu.Lock()
		at.ready = ready
		b.mu.Unlock()
	}
}

// requests is how many have come.
func (b *balancer) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.received
}
