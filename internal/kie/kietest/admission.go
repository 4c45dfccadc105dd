package kietest

import (
	"net/http"
	"time"
)

// job is what a client keeps submitting until it is accepted.
type job struct {
	exposure // what hits submissions; each task has an exposure of its own
	lot      uint64
	topUps   int // how many top-ups there had been when the job first came
}

// refusal is a submission that created nothing.
type refusal struct {
	code   int
	msg    string
	passes bool // the same submission may be accepted later
	status int  // HTTP status; 0 means 200
}

var (
	rateRefusal        = refusal{code: codeRateLimited, msg: "Too many requests: at most 20 new generation requests per 10 seconds", passes: true, status: http.StatusTooManyRequests}
	quietRateRefusal   = refusal{code: codeRateLimited, msg: "Your call frequency is too high. Please try again later.", passes: true}
	maintenanceRefusal = refusal{code: codeMaintenance, msg: "Service is under maintenance", passes: true}
	creditRefusal      = refusal{code: codeNoCredit, msg: "The current credits are insufficient. Please top up.", passes: true}
	keyRefusal         = refusal{code: codeUnauthorized, msg: "You do not have access permissions", passes: true}
	inputRefusal       = refusal{code: codeInvalid, msg: "视频链接无效: the video URL is not valid"}
	closingRefusal     = refusal{code: codeMaintenance, msg: "The service is shutting down", passes: true}
)

func (f refusal) send(w http.ResponseWriter, s *Server) {
	if f.passes {
		setRetryAfter(w, s.options.RetryAfter)
	}
	s.countRefusal(f.code)
	writeJSON(w, orElse(f.status, http.StatusOK), envelope{Code: f.code, Msg: f.msg})
}

// shutOut refuses a submission whose key is not accepted. With a good key it may
// be accepted later.
func (s *Server) shutOut(w http.ResponseWriter, code int, msg string) {
	refusal{code: code, msg: msg, passes: true}.send(w, s)
}

// turnDown refuses a submission that was no proper one.
func (s *Server) turnDown(w http.ResponseWriter, code int, msg string) {
	s.countRefusal(code)
	refuse(w, code, msg)
}

func (s *Server) countRefusal(code int) {
	s.mu.Lock()
	s.refusals[code]++
	s.mu.Unlock()
}

// admit charges a submission or says why not. A charge is on the bill, and in
// the journal, before anybody learns of it.
func (s *Server) admit(req request, marks markers, base string) (*task, refusal, error) {
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
	s.enter(t)
	s.spawn(func() { s.live(t) })
	s.log.Info("charged", "taskId", t.id, "faults", t.chosen)
	return t, refusal{}, nil
}

// enter puts a charged task on the books. Callers hold s.mu.
func (s *Server) enter(t *task) {
	s.tasks[t.id] = t
	t.released = s.released
	s.charges = append(s.charges, t)
	s.credits -= Price
	if s.options.RateLimit > 0 {
		s.admitted = append(s.admitted, t.created)
	}
}

// jobFor finds the job of a submission. What it meets is settled when it first
// comes. Callers hold s.mu.
func (s *Server) jobFor(req request, marks markers) *job {
	if known, ok := s.jobs[req]; ok {
		return known
	}
	lot := s.schedule.lot(req)
	faults := marks.faults
	if faults == nil {
		faults = s.schedule.draw(lot)
	}
	fresh := &job{exposure: exposedTo(faults), lot: lot, topUps: s.topUps}
	s.jobs[req] = fresh
	return fresh
}

// refusalFor decides about a submission; the zero refusal admits it. Callers
// hold s.mu.
func (s *Server) refusalFor(owner *job) refusal {
	faults, several := &owner.exposure, s.options.Strikes
	switch {
	case s.strike(faults, Refused, always):
		return inputRefusal
	case s.strike(faults, Unauthorized, 1):
		return keyRefusal
	case s.strike(faults, Maintenance, several):
		return maintenanceRefusal
	case s.strike(faults, RateLimited, several):
		// The documents promise an HTTP 429 on one page and an envelope under
		// HTTP 200 on another.
		if owner.lot%2 == 0 {
			return quietRateRefusal
		}
		return rateRefusal
	case s.overRate():
		return rateRefusal
	case owner.topUps == s.topUps && s.strike(faults, NoCredit, several):
		return creditRefusal
	case s.credits < Price:
		return creditRefusal
	default:
		return refusal{}
	}
}

// overRate looks at the account's sliding window. Refused submissions do not
// count: nothing was created. Callers hold s.mu.
func (s *Server) overRate() bool {
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
