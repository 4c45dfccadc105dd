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
// would repeat the refusal for each of its open jobs. It serves one worker. Jobs of no
// batch are not held back.
type probe struct {
	mu sync.Mutex
	// hold is the last refusal; its Until is the time of the next probe. It is zero while
	// submissions are accepted.
	hold Hold
}

// admit reports whether a job of a batch may submit now. If not, the hold is the reason.
func (p *probe) admit(now time.Time) (hold Hold, admitted bool) {
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
