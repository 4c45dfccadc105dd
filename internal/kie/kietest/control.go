package kietest

import "net/http"

// The routes under /_sim control the simulator. They need no key and answer with
// plain JSON.

// showLedger is GET /_sim/ledger.
func (s *Server) showLedger(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.Ledger())
}

// Menu is the menu and the rate of random faults. It is the body of POST
// /_sim/faults and the answer of GET /_sim/faults.
type Menu struct {
	Faults []string `json:"faults"`
	Rate   float64  `json:"rate"`
	// Known lists all faults. POST ignores it.
	Known []Fault `json:"known,omitempty"`
}

// showFaults is GET /_sim/faults.
func (s *Server) showFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	menu := Menu{Faults: s.schedule.menu, Rate: s.schedule.rate, Known: faultMenu}
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, menu)
}

// setFaults is POST /_sim/faults.
func (s *Server) setFaults(w http.ResponseWriter, r *http.Request) {
	var menu Menu
	if problem := readJSON(w, r, &menu); problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	if err := s.SetFaults(menu.Faults, menu.Rate); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.showFaults(w, r)
}

// SetFaults replaces the menu and the rate of random faults. Known jobs keep their
// faults.
func (s *Server) SetFaults(names []string, rate float64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh, err := newSchedule(s.schedule.seed, names, rate)
	if err != nil {
		return err
	}
	s.schedule = fresh
	return nil
}

// topUp is POST /_sim/topup.
func (s *Server) topUp(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Credits float64 `json:"credits"`
	}
	if problem := readJSON(w, r, &body); problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	balance, err := s.TopUp(body.Credits)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, map[string]float64{"credits": balance})
}

// TopUp adds credits, ends the fault no-credit for all known jobs, and returns the
// balance.
func (s *Server) TopUp(credits float64) (balance float64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.journal.topUp(credits); err != nil {
		return s.credits, err
	}
	s.credits += credits
	s.topUps++
	return s.credits, nil
}
