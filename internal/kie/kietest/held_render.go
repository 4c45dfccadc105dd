package kietest

import "net/http"

// hold blocks the end of a generation with the marker "[render: held]" until its
// release. It has no effect on a task with an early callback: its submission is
// answered after the callback.
func (s *Server) hold(t *task) error {
	if !t.marks.held || t.faults.has(CallbackEarly) {
		return nil
	}
	select {
	case <-t.released:
		return nil
	case <-s.ctx.Done():
		return errClosed
	}
}

// release is POST /_sim/release. It ends all held renders; a render that is held
// afterwards needs another release.
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
