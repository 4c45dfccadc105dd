package webhook

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

const (
	// repeatWindow is how long an accepted callback is not signalled again.
	repeatWindow = time.Minute
	// maxSignals is how many signals this process sends to one job within
	// budgetWindow: Temporal takes 10,000 per run and about five a second.
	maxSignals   = 30
	budgetWindow = time.Hour
	// remembered bounds the memory: a few megabytes. What falls out under more
	// callbacks than that is signalled again, which is harmless.
	remembered = 1 << 15
)

// gate keeps repetitions away from Temporal. A repetition passes for delivered
// only if Temporal has accepted the first one: while that is under way it waits
// for the same outcome.
type gate struct {
	now     func() time.Time
	flights singleflight.Group

	mu       sync.Mutex
	accepted *simplelru.LRU[string, time.Time]
	budgets  *simplelru.LRU[string, budget]
}

// budget is what a job has had of its signals since a moment.
type budget struct {
	since time.Time
	spent int
}

// exhaustedError means that a job has had its share of signals.
type exhaustedError struct{ wait time.Duration }

func (e *exhaustedError) Error() string {
	return fmt.Sprintf("more than %d signals within %s", maxSignals, budgetWindow)
}

func newGate(now func() time.Time) *gate {
	// NewLRU fails only for sizes that are not positive.
	accepted, _ := simplelru.NewLRU[string, time.Time](remembered, nil)
	budgets, _ := simplelru.NewLRU[string, budget](remembered, nil)
	return &gate{now: now, accepted: accepted, budgets: budgets}
}

// pass calls signal unless the same callback has been accepted lately or is
// being signalled right now. repeated says that this call did not signal.
func (g *gate) pass(d delivery, signal func() error) (repeated bool, err error) {
	job := digest(d.workflowID)
	same := digest(fmt.Sprintf("%q %q %d", d.workflowID, d.taskID, d.code))
	repeated = true
	_, err, _ = g.flights.Do(same, func() (any, error) {
		if g.lately(same) {
			return nil, nil
		}
		if err := g.spend(job); err != nil {
			return nil, err
		}
		repeated = false
		if err := signal(); err != nil {
			return nil, err
		}
		g.accept(same)
		return nil, nil
	})
	return repeated, err
}

func (g *gate) lately(same string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.accepted.Get(same)
	return ok && g.now().Sub(at) < repeatWindow
}

func (g *gate) accept(same string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.accepted.Add(same, g.now())
}

// spend counts every signal that is tried: whether one that failed was stored
// after all is not known.
func (g *gate) spend(job string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	spent, ok := g.budgets.Get(job)
	if !ok || now.Sub(spent.since) >= budgetWindow {
		spent = budget{since: now}
	}
	if spent.spent >= maxSignals {
		return &exhaustedError{wait: budgetWindow - now.Sub(spent.since)}
	}
	spent.spent++
	g.budgets.Add(job, spent)
	return nil
}

// digest keeps what is remembered small, whatever the ids are.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}
