package kietest

import "slices"

// always is the limit of a fault that never stops.
const always = 0

// exposure is the faults chosen for a job, a task or a file, and how often each
// has hit it.
type exposure struct {
	chosen []string
	struck map[string]int // guarded by Server.strikes
}

func exposedTo(faults []string) exposure {
	return exposure{chosen: faults, struck: map[string]int{}}
}

func (e *exposure) faces(fault string) bool { return slices.Contains(e.chosen, fault) }

// strike reports whether a fault hits now, and books it if it does. It hits at
// most limit times.
func (s *Server) strike(e *exposure, fault string, limit int) bool {
	if !e.faces(fault) {
		return false
	}
	s.strikes.Lock()
	defer s.strikes.Unlock()
	if limit != always && e.struck[fault] >= limit {
		return false
	}
	e.struck[fault]++
	s.injected[fault]++
	return true
}

// met reports whether a fault has hit yet.
func (s *Server) met(e *exposure, fault string) bool {
	s.strikes.Lock()
	defer s.strikes.Unlock()
	return e.struck[fault] > 0
}
