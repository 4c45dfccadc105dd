package activities

import (
	"errors"
	"sync"
	"time"

	"lumaflow/internal/kie"
)

const (
	// probeTimeout is the time within which a probe is answered, and answerDelay the time
	// after which a job looks for the answer, which mostly comes within a second.
	probeTimeout = SubmissionTimeout
	answerDelay  = 5 * time.Second
	// maxRecheck is the time after which a job looks again whether another one still
	// probes. It sends nothing to kie.ai then, and so a batch goes on soon after a
	// probe is accepted; but each look takes one turn of the rate of submissions.
	maxRecheck = 2 * time.Minute
)

// probe lets one job of a batch at a time find out whether kie.ai accepts submissions
// again, while it refuses them for a reason that concerns the whole account: a batch
// would repeat the refusal for each of its open jobs. The state is that of one worker;
// which job of a batch probes on all workers is in the memo of the batch. Jobs of no
// batch are not held back.
type probe struct {
	mu sync.Mutex
	// hold is the last refusal; its Until is the time of the next probe, and delay that
	// between two probes. Both are zero while submissions are accepted.
	hold  Hold
	delay time.Duration
	// answerBy is the latest time of the answer to the probe under way.
	answerBy time.Time
}

// admit reports whether a job of a batch may submit now. If not, the hold is the
// reason. refused is the last refusal of the job itself, and elected the job that
// probes for the batch: it is called only if the account was refused, and an error
// leaves the decision to this worker.
func (p *probe) admit(now time.Time, jobID string, refused *Hold, elected func() (jobID string, err error)) (hold Hold, admitted bool) {
	hold, waits := p.waits(now)
	if !waits {
		if hold, waits = p.known(now, refused); waits {
			probing, err := elected()
			waits = err == nil && probing != "" && probing != jobID
		}
	}
	if !waits {
		hold, waits = p.begin(now)
	}
	if latest := now.Add(maxRecheck); hold.Until.After(latest) {
		hold.Until = latest
	}
	return hold, !waits
}

// begin begins a probe if the account was refused and no other probe is under way.
func (p *probe) begin(now time.Time) (hold Hold, waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hold, waits = p.pending(now); waits {
		return hold, true
	}
	if p.hold.Code != 0 {
		p.answerBy = now.Add(probeTimeout)
	}
	return Hold{}, false
}

// waits returns the refusal that is not over yet, or whose next probe is under way.
func (p *probe) waits(now time.Time) (hold Hold, waits bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pending(now)
}

// pending is waits for a caller that holds p.mu.
func (p *probe) pending(now time.Time) (hold Hold, waits bool) {
	hold = p.hold
	if now.Before(p.answerBy) {
		hold.Until = now.Add(answerDelay)
	}
	return hold, now.Before(hold.Until)
}

// known returns the last refusal of the account, by this worker or of the job, until
// the probe after the next one.
func (p *probe) known(now time.Time, refused *Hold) (hold Hold, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.hold.Code != 0:
		hold = p.hold
		hold.Until = now.Add(p.delay)
		return hold, true
	case refused != nil && accountHolds[refused.Code]:
		delay := (&kie.Error{Class: kie.Held, Code: refused.Code}).Delay()
		return Hold{Code: refused.Code, Reason: refused.Reason, RefusedAt: refused.RefusedAt, Until: now.Add(delay)}, true
	default:
		return Hold{}, false
	}
}

// end ends the probe under way, if there is one, whatever its outcome.
func (p *probe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answerBy = time.Time{}
}

// observe takes the outcome of a submission into account.
func (p *probe) observe(err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	refusal, refused := errors.AsType[*kie.Error](err)
	switch {
	case err == nil:
		p.hold, p.delay = Hold{}, 0
	case refused && refusal.Class == kie.Held && accountHolds[refusal.Code]:
		p.delay = refusal.Delay()
		p.hold = Hold{Code: refusal.Code, Reason: kie.Reason(refusal.Code), RefusedAt: now, Until: now.Add(p.delay)}
	}
}
