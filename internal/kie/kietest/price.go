package kietest

import "net/http"

// Price is the charge for one accepted submission, in credits. kie.ai documents
// no price of Luma Modify; observed: users assume 100 credits.
//
// The stage of a fault decides what it costs. A fault of StageAdmission refuses a
// submission before the charge: the submission costs nothing. Every other fault
// occurs after the charge: the submission costs Price, and a client that submits
// again pays again. The simulator refunds nothing, not even a failed generation.
const Price = 100

// defaultCredits is the initial balance.
const defaultCredits = 10_000_000

// credit is GET /api/v1/chat/credit.
func (s *Server) credit(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	credits := s.credits
	s.mu.Unlock()
	accept(w, credits)
}
