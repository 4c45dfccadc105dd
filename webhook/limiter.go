package webhook

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

const (
	// repeatWindow is the time in which a duplicate of an accepted callback is
	// not signalled.
	repeatWindow = time.Minute
	// maxSignals bounds the signals of this process to one job per budgetWindow, and
	// thereby the jobs that collect its tasks once it is over: Temporal accepts 10,000
	// signals per run and about five per second.
	maxSignals   = 30
	budgetWindow = time.Hour
	// maxEntries bounds each cache, a few megabytes in all. A duplicate of an
	// evicted callback is signalled, which the workflow tolerates.
	maxEntries = 1 << 15
)

// limiter suppresses duplicate callbacks and bounds the signals per job. A
// duplicate is reported as delivered only after Temporal has accepted the
// original: while the original is in flight, the duplicate waits for its result.
type limiter struct {
	flights singleflight.Group
	// accepted has the time of each accepted callback. (expirable.LRU, which drops
	// old entries, starts a goroutine that can't be ended.)
	accepted *lru.Cache[string, time.Time]

	mu      sync.Mutex
	budgets *simplelru.LRU[string, budget]
}

// budget counts the signals to one job since the start of its window.
type budget struct {
	start   time.Time
	signals int
}

// exhaustedError means that the budget of a job is spent for the next wait.
type exhaustedError struct{ wait time.Duration }

func (e *exhaustedError) Error() string {
	return fmt.Sprintf("more than %d signals within %s", maxSignals, budgetWindow)
}

func newLimiter() *limiter {
	// Both fail only for sizes that are not positive.
	accepted, _ := lru.New[string, time.Time](maxEntries)
	budgets, _ := simplelru.NewLRU[string, budget](maxEntries, nil)
	return &limiter{accepted: accepted, budgets: budgets}
}

// do calls deliver unless a duplicate of d was accepted within repeatWindow or is
// in flight.
func (l *limiter) do(d delivery, deliver func() error) error {
	job := digest(d.workflowID)
	key := digest(fmt.Sprintf("%q %q %d", d.workflowID, d.taskID, d.code))
	_, err, _ := l.flights.Do(key, func() (any, error) {
		if at, ok := l.accepted.Get(key); ok && time.Since(at) < repeatWindow {
			return nil, nil
		}
		if err := l.spend(job); err != nil {
			return nil, err
		}
		if err := deliver(); err != nil {
			return nil, err
		}
		l.accepted.Add(key, time.Now())
		return nil, nil
	})
	return err
}

// spend counts failed signals too, since Temporal may have stored them.
func (l *limiter) spend(job string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	spent, ok := l.budgets.Get(job)
	if !ok || now.Sub(spent.start) >= budgetWindow {
		spent = budget{start: now}
	}
	if spent.signals >= maxSignals {
		return &exhaustedError{wait: budgetWindow - now.Sub(spent.start)}
	}
	spent.signals++
	l.budgets.Add(job, spent)
	return nil
}

// digest bounds the size of a cache key for ids of any length.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}
