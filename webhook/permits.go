package webhook

import "sync"

// permits bounds a resource in total and for each job.
type permits struct {
	total, perJob int

	mu    sync.Mutex
	taken int
	byJob map[string]int
}

func newPermits(total, perJob int) *permits {
	return &permits{total: total, perJob: perJob, byJob: map[string]int{}}
}

// take returns at once. The caller must call release if a permit was free.
func (p *permits) take(job string) (release func(), free bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.total || p.byJob[job] >= p.perJob {
		return nil, false
	}
	p.taken++
	p.byJob[job]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.taken--
		if p.byJob[job]--; p.byJob[job] == 0 {
			delete(p.byJob, job)
		}
	}, true
}
