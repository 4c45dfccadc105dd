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
	// askTime bounds one check, goodFor is how long a good answer of one holds
	// unless it says otherwise, badFor how long a bad one.
	askTime = 5 * time.Second
	goodFor = 10 * time.Second
	badFor  = time.Second
	// maxReason bounds, in bytes, what is said about a check that failed.
	maxReason = 300
)

// Check is one condition of being ready.
type Check struct {
	// Name is what it is about, in one word.
	Name string
	// Ask returns why it does not hold. It has five seconds.
	Ask func(ctx context.Context) error
	// Holds is how long a good answer is repeated without asking; zero means ten
	// seconds.
	Holds time.Duration
}

// Readiness is whether a role can do its work: it starts as not ready, is ready
// from Begin on while all checks hold, and not ready for good after Drain. Its
// methods may be called by several goroutines at once, and on nil.
type Readiness struct {
	mu       sync.Mutex
	checks   []*asked
	began    bool
	draining bool
}

// NewReadiness returns a Readiness that is not ready yet.
func NewReadiness() *Readiness { return &Readiness{} }

// Begin says that the start is over; from now on the checks decide.
func (r *Readiness) Begin(checks ...Check) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began = true
	for _, check := range checks {
		if check.Holds == 0 {
			check.Holds = goodFor
		}
		r.checks = append(r.checks, &asked{Check: check})
	}
}

// Drain says that the process is about to end.
func (r *Readiness) Drain() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// Ready reports whether the role is ready and how each check stands, one line
// for each. Checks are asked at most every few seconds, however often Ready is.
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
	var asking sync.WaitGroup
	for i, check := range checks {
		asking.Go(func() {
			errs[i] = check.answer(ctx)
			lines[i] = "ok      " + check.Name
			if errs[i] != nil {
				lines[i] = "failed  " + check.Name + ": " + oneline.Truncate(errs[i].Error(), maxReason)
			}
		})
	}
	asking.Wait()
	return errors.Join(errs...) == nil, lines
}

// asked is a check with its last answer.
type asked struct {
	Check

	mu    sync.Mutex
	until time.Time
	last  error
}

// answer asks if the last answer is too old. Who asks meanwhile waits for the
// same answer; who leaves early does not spoil it for the others.
func (a *asked) answer(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Now().Before(a.until) {
		return a.last
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	a.last = a.Ask(ctx)
	holds := a.Holds
	if a.last != nil {
		holds = badFor
	}
	a.until = time.Now().Add(holds)
	return a.last
}

// serveReady is /readyz: 200 or 503, and how each check stands.
func (r *Readiness) serveReady(w http.ResponseWriter, request *http.Request) {
	ready, lines := r.Ready(request.Context())
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	say(w, status, lines...)
}

// serveAlive is /healthz: whoever can answer is alive.
func serveAlive(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") }

func say(w http.ResponseWriter, status int, lines ...string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// Whoever has gone needs no answer.
	_, _ = fmt.Fprintln(w, strings.Join(lines, "\n"))
}
