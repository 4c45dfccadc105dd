package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"lumaflow/internal/oneline"
)

const (
	// probeTimeout bounds one probe. passTTL is the default time for which a passed
	// check is cached, failTTL that of a failed one.
	probeTimeout = 5 * time.Second
	passTTL      = 10 * time.Second
	failTTL      = time.Second
	// maxReason bounds the reason of a failed check, in bytes.
	maxReason = 300
)

// Check is one condition of readiness.
type Check struct {
	// Name is one word for /readyz.
	Name string
	// Probe returns the reason of a failure. Its context ends after five seconds.
	Probe func(ctx context.Context) error
	// TTL is the time for which a passed check is cached; zero means ten seconds.
	TTL time.Duration
}

// Readiness reports whether a role can work: not ready at first, after Begin ready
// while all checks pass, and not ready after Drain. Its methods are safe for
// concurrent use.
type Readiness struct {
	mu       sync.Mutex
	checks   []*cachedCheck
	began    bool
	draining bool
}

// Begin ends the start phase; from then on the checks decide.
func (r *Readiness) Begin(checks ...Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = true
	for _, check := range checks {
		if check.TTL == 0 {
			check.TTL = passTTL
		}
		r.checks = append(r.checks, &cachedCheck{check: check})
	}
}

// Drain makes the role not ready for good.
func (r *Readiness) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// Ready reports whether the role is ready, with one line for each check. Results
// are cached, so the rate of calls does not matter.
func (r *Readiness) Ready(ctx context.Context) (ready bool, lines []string) {
	r.mu.Lock()
	began, draining, checks := r.began, r.draining, r.checks
	r.mu.Unlock()
	switch {
	case draining:
		return false, []string{"draining"}
	case !began:
		return false, []string{"starting"}
	}
	lines = make([]string, len(checks))
	errs := make([]error, len(checks))
	var running sync.WaitGroup
	for i, check := range checks {
		running.Go(func() {
			errs[i] = check.result(ctx)
			lines[i] = "ok      " + check.check.Name
			if errs[i] != nil {
				lines[i] = "failed  " + check.check.Name + ": " + oneline.Truncate(errs[i].Error(), maxReason)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...) == nil, lines
}

// cachedCheck is a check with its last result.
type cachedCheck struct {
	check Check

	mu      sync.Mutex
	expires time.Time
	err     error
}

// result probes if the last result has expired. Concurrent calls share one probe,
// which does not end with the context of the first caller.
func (c *cachedCheck) result(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.expires) {
		return c.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
	defer cancel()
	c.err = c.check.Probe(ctx)
	ttl := c.check.TTL
	if c.err != nil {
		ttl = failTTL
	}
	c.expires = time.Now().Add(ttl)
	return c.err
}

// serveReady serves /readyz: 200 or 503 with a line for each check.
func (r *Readiness) serveReady(w http.ResponseWriter, request *http.Request) {
	ready, lines := r.Ready(request.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	writeText(w, status, lines...)
}

// serveHealthy serves /healthz: a process that answers is alive.
func serveHealthy(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "alive")
}

func writeText(w http.ResponseWriter, status int, lines ...string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// A write error means that the client has closed the connection.
	_, _ = fmt.Fprintln(w, strings.Join(lines, "\n"))
}
