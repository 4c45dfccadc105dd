package kietest

import (
	"net/http"
	"time"
)

// job is the sequence of equal submissions of a client until one is accepted.
type job struct {
	faults  faultSet // of its submissions; each task has a faultSet of its own
	variant uint64
	topUps  int // number of top-ups at the first submission
}

// refusal is the answer to a submission that creates nothing.
type refusal struct {
	code      int
	msg       string
	temporary bool // the same submission may be accepted later
	status    int  // HTTP status; 0 means 200
}

var (
	rateRefusal        = refusal{code: codeRateLimited, msg: "Too many requests: at most 20 new generation requests per 10 seconds", temporary: true, status: http.StatusTooManyRequests}
	quietRateRefusal   = refusal{code: codeRateLimited, msg: "Your call frequency is too high. Please try again later.", temporary: true}
	maintenanceRefusal = refusal{code: codeMaintenance, msg: "Service is under maintenance", temporary: true}
	creditRefusal      = refusal{code: codeNoCredit, msg: "The current credits are insufficient. Please top up.", temporary: true}
	keyRefusal         = refusal{code: codeUnauthorized, msg: "You do not have access permissions", temporary: true}
	inputRefusal       = refusal{code: codeInvalid, msg: "视频链接无效: the video URL is not valid"}
	closingRefusal     = refusal{code: codeMaintenance, msg: "The service is shutting down", temporary: true}
)

func (f refusal) send(w http.ResponseWriter, s *Server) {
	if f.temporary {
		setRetryAfter(w, s.options.RetryAfter)
	}
	s.countRefusal(f.code)
	writeJSON(w, orElse(f.status, http.StatusOK), envelope{Code: f.code, Msg: f.msg})
}

// refuseUnauthorized refuses a submission with an invalid key. It may be accepted
// later with a valid one.
func (s *Server) refuseUnauthorized(w http.ResponseWriter, code int, msg string) {
	refusal{code: code, msg: msg, temporary: true}.send(w, s)
}

// refuseInvalid refuses a malformed submission.
func (s *Server) refuseInvalid(w http.ResponseWriter, code int, msg string) {
	s.countRefusal(code)
	refuse(w, code, msg)
}

func (s *Server) countRefusal(code int) {
	s.mu.Lock()
	s.refusals[code]++
	s.mu.Unlock()
}

// admit charges a submission or returns a refusal. A charge is in the journal and
// on the bill before it has any effect outside.
func (s *Server) admit(req lumaRequest, marks markers, base string) (*task, refusal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, closingRefusal, nil
	}
	owner := s.jobFor(req, marks)
	if refusal := s.refusalFor(owner); refusal.code != 0 {
		return nil, refusal, nil
	}
	t := newTask(newID(), owner, req, marks, base, s.options.Now())
	if err := s.journal.charge(t); err != nil {
		return nil, refusal{}, err
	}
	s.addCharge(t)
	s.spawn(func() { s.runTask(t) })
	s.log.Info("charged", "taskId", t.id, "faults", t.faults.chosen)
	return t, refusal{}, nil
}

// addCharge adds a charged task to the bill. Callers hold s.mu.
func (s *Server) addCharge(t *task) {
	s.tasks[t.id] = t
	t.released = s.released
	s.charges = append(s.charges, t)
	s.credits -= Price
	if s.options.RateLimit > 0 {
		s.admitted = append(s.admitted, t.created)
	}
}

// jobFor returns the job of a submission. The first submission determines its
// faults. Callers hold s.mu.
func (s *Server) jobFor(req lumaRequest, marks markers) *job {
	if known, ok := s.jobs[req]; ok {
		return known
	}
	variant := s.schedule.variant(req)
	faults := marks.faults
	if faults == nil {
		faults = s.schedule.draw(variant)
	}
	fresh := &job{faults: newFaultSet(faults), variant: variant, topUps: s.topUps}
	s.jobs[req] = fresh
	return fresh
}

// refusalFor returns the refusal of a submission; the zero refusal admits it.
// Callers hold s.mu.
func (s *Server) refusalFor(owner *job) refusal {
	faults, repeats := &owner.faults, s.options.FaultRepeats
	switch {
	case s.inject(faults, Refused, unlimited):
		return inputRefusal
	case s.inject(faults, Unauthorized, 1):
		return keyRefusal
	case s.inject(faults, Maintenance, repeats):
		return maintenanceRefusal
	case s.inject(faults, RateLimited, repeats):
		// kie.ai documents HTTP 429 on one page and code 429 under HTTP 200 on
		// another.
		if owner.variant%2 == 0 {
			return quietRateRefusal
		}
		return rateRefusal
	case s.rateExceeded():
		return rateRefusal
	case owner.topUps == s.topUps && s.inject(faults, NoCredit, repeats):
		return creditRefusal
	case s.credits < Price:
		return creditRefusal
	default:
		return refusal{}
	}
}

// rateExceeded checks the account's sliding window. Refused submissions do not
// count. Callers hold s.mu.
func (s *Server) rateExceeded() bool {
	if s.options.RateLimit < 0 {
		return false
	}
	opened := s.options.Now().Add(-s.options.RateWindow)
	inside := func(at time.Time) bool { return at.After(opened) }
	for len(s.admitted) > 0 && !inside(s.admitted[0]) {
		s.admitted = s.admitted[1:]
	}
	return len(s.admitted) >= s.options.RateLimit
}
