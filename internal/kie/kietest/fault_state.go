package kietest

import "slices"

// unlimited is the limit of a fault that never stops.
const unlimited = 0

// faultSet is the faults that were chosen for a job, task or file, with the number
// of times that each was injected.
type faultSet struct {
	chosen []string
	hits   map[string]int // guarded by Server.faultMu
}

func newFaultSet(chosen []string) faultSet {
	return faultSet{chosen: chosen, hits: map[string]int{}}
}

func (f *faultSet) has(fault string) bool { return slices.Contains(f.chosen, fault) }

// inject reports whether a fault occurs now, and counts it. It occurs at most
// limit times.
func (s *Server) inject(faults *faultSet, fault string, limit int) bool {
	if !faults.has(fault) {
		return false
	}
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	if limit != unlimited && faults.hits[fault] >= limit {
		return false
	}
	faults.hits[fault]++
	s.faultCounts[fault]++
	return true
}

// wasInjected reports whether a fault has occurred.
func (s *Server) wasInjected(faults *faultSet, fault string) bool {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	return faults.hits[fault] > 0
}
