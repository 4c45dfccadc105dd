package activities

import (
	"errors"
	"sync"
	"time"

	"lumaflow/internal/kie"
)

// probeTimeout is the time for which other jobs wait for the answer to a probe.
const probeTimeout = SubmissionTimeout

// probe lets one job of a batch at a time find out whether kie.ai accepts submissions
// again, while it refuses them for a reason that concerns the whole account: a batch
// would repeat the refusal for each of its open jobs. The state is that of one worker;
// which job of a batch probes on all workers is in the memo of the batch. Jobs of no
// batch are not held back.
type probe struct {
	mu sync.Mutex
	// hold is the last refusal; its Until is the time of the next probe. It is zero while
	// submissions are accepted.
	hold Hold
}

// admit reports whether a job of a batch may submit now. If not, the hold is the
// reason. refused is the last refusal of the job itself, and elected the job that
// probes for the batch: it is called only if the account was refused, and an error
// leaves the decision to this worker.
func (p *probe) admit(now time.Time, jobID string, refused *Hold, elected func() (jobID string, err error)) (hold Hold, admitted bool) {
	if hold, waits := p.waits(now); waits {
		return hold, false
	}
	if known := p.known(refused); known.Code != 0 {
		if probing, err := elected(); err == nil && probing != "" && probing != jobID {
			known.Until = now.Add((&kie.Error{Class: kie.Held, Code: known.Code}).Delay())
			return known, false
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Before(p.hold.Until) {
		return p.hold, false
	}
	if p.hold.Code != 0 {
		p.hold.Until = now.Add(probeTimeout)
	}
	return Hold{}, true
}

// waits returns the refusal that is not over yet.
func (p *probe) waits(now time.Time) (hold Hold, waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hold, now.Before(p.hold.Until)
}

// known is the last refusal of the account, by this worker or of the job; zero if there
// is none.
func (p *probe) known(refused *Hold) Hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.hold.Code != 0:
		return Hold{Code: p.hold.Code, Reason: p.hold.Reason}
	case refused != nil && accountHolds[refused.Code]:
		return Hold{Code: refused.Code, Reason: refused.Reason}
	default:
		return Hold{}
	}
}

// observe takes the outcome of a submission into account.
func (p *probe) observe(err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal, refused := errors.AsType[*kie.Error](err)
	switch {
	case err == nil:
		p.hold = Hold{}
	case refused && refusal.Class == kie.Held && accountHolds[refusal.Code]:
		p.hold = Hold{Code: refusal.Code, Reason: kie.Reason(refusal.Code), Until: now.Add(refusal.Delay())}
	}
}
