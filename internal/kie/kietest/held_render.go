package kietest

import "net/http"

// hold keeps a generation from ending until it is released, if its prompt asks
// for that. One with an early callback can't keep its client waiting.
func (s *Server) hold(t *task) error {
	if !t.marks.held || t.faces(CallbackEarly) {
		return nil
	}
	select {
	case <-t.released:
		return nil
	case <-s.ctx.Done():
		return errClosed
	}
}

// release is POST /_sim/release. It ends what is held so far; what comes later
// waits for the next.
func (s *Server) release(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	released := 0
	for _, t := range s.charges {
		if t.marks.held && t.released == s.released {
			released++
		}
	}
	close(s.released)
	s.released = make(chan struct{})
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]int{"released": released})
}
