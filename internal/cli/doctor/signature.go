package doctor

import (
	"context"
	"fmt"
	"time"

	"lumaflow/internal/kie"
)

func (e *examination) lookAtSignature(ctx context.Context) Finding {
	verifier, err := e.Verifier()
	if err != nil {
		return failf("%s", said(err))
	}
	exam := e.webhook()
	switch {
	case exam.finding.Status == Fail && !e.examines("callback"):
		return exam.finding
	case exam.prober == nil:
		return skippedf("no callback can be posted")
	case exam.finding.Status == Fail:
		return skippedf("the webhook does not work")
	case !verifier.Required():
		return judgeUnsigned(exam.replies.unsigned)
	}
	// What counts is whether a callback of now by kie.ai's clock is accepted.
	clock, err := e.clock()
	now := time.Now().Add(-clock.Ahead)
	replies := exam.prober.signed(ctx, verifier, now)
	return judgeSigned(exam.replies.unsigned, replies, now, err == nil)
}

// judgeUnsigned is for an examination without a key.
func judgeUnsigned(unsigned reply) Finding {
	if unsigned.received() {
		return okf("not required: KIE_WEBHOOK_HMAC_KEY is set neither here nor at the webhook; addresses are secret all the same")
	}
	return warnf("the webhook requires signatures, but KIE_WEBHOOK_HMAC_KEY is not set here, so its key and its way to Temporal can't be checked: set it and run this again")
}

// judgeSigned compares what became of a callback without a signature and of one
// with each key. now is when they were signed, by kie.ai's clock if it is known.
func judgeSigned(unsigned reply, signed []reply, now time.Time, known bool) Finding {
	for i, reply := range signed {
		which := "KIE_WEBHOOK_HMAC_KEY"
		if len(signed) > 1 {
			which = fmt.Sprintf("key %d of %d in KIE_WEBHOOK_HMAC_KEY", i+1, len(signed))
		}
		switch {
		case reply.err != nil:
			return failf("no answer came to a callback that is signed with %s (%s): run this again", which, said(reply.err))
		case reply.unauthorized() && known && wrong(reply.date, now):
			return failf("the webhook refuses a callback that is signed with %s: its clock is %s off kie.ai's, set it by NTP", which, rounded(reply.date.Sub(now).Abs()))
		case reply.unauthorized():
			return failf("the webhook refuses a callback that is signed with %s: give it the same key, the one of https://kie.ai/settings", which)
		case reply.busy():
			return failf("the webhook accepts the signature but can't pass callbacks on (HTTP 503): see its log, and whether it reaches Temporal")
		case !reply.received():
			return failf("the webhook answers HTTP %d to a callback that is signed with %s: run this again, and see its log", reply.status, which)
		}
	}
	if unsigned.received() {
		return warnf("the webhook accepts callbacks without a signature, too: set KIE_WEBHOOK_HMAC_KEY there")
	}
	return okf("callbacks that are signed with KIE_WEBHOOK_HMAC_KEY are accepted, others refused")
}

// wrong reports whether the webhook's clock is what makes it refuse.
func wrong(clock, now time.Time) bool {
	return !clock.IsZero() && clock.Sub(now).Abs() > kie.SignatureWindow
}
