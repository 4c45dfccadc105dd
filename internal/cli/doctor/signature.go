package doctor

import (
	"context"
	"fmt"
	"time"

	"lumaflow/internal/kie"
)

func (e *examination) checkSignature(ctx context.Context) Finding {
	verifier, err := e.Verifier()
	if err != nil {
		return failf("%s", brief(err))
	}
	probed := e.webhook()
	switch {
	case probed.finding.Status == Fail && !e.examines("callback"):
		return probed.finding
	case probed.prober == nil:
		return skippedf("no callback can be posted")
	case probed.finding.Status == Fail:
		return skippedf("the webhook does not work")
	case !verifier.Required():
		return unsignedFinding(probed.replies.unsigned)
	}
	// kie.ai signs with its own clock.
	clock, err := e.clock()
	now := time.Now().Add(-clock.Ahead)
	replies := probed.prober.signed(ctx, verifier, now)
	return signedFinding(probed.replies.unsigned, replies, now, err == nil)
}

// unsignedFinding evaluates a setup without a key.
func unsignedFinding(unsigned reply) Finding {
	if unsigned.received() {
		return okf("not required: KIE_WEBHOOK_HMAC_KEY is set neither here nor at the webhook; callback addresses are secret in any case")
	}
	return warnf("the webhook requires signatures, but KIE_WEBHOOK_HMAC_KEY is not set here, so its key and its way to Temporal can't be checked: set it and run this again")
}

// signedFinding compares the answers to an unsigned callback and to one signed with
// each key. now is the time of signing, by kie.ai's clock if that is known.
func signedFinding(unsigned reply, signed []reply, now time.Time, known bool) Finding {
	for i, reply := range signed {
		which := "KIE_WEBHOOK_HMAC_KEY"
		if len(signed) > 1 {
			which = fmt.Sprintf("key %d of %d in KIE_WEBHOOK_HMAC_KEY", i+1, len(signed))
		}
		switch {
		case reply.err != nil:
			return failf("no answer came to a callback that is signed with %s (%s): run this again", which, brief(reply.err))
		case reply.unauthorized() && known && !reply.date.IsZero() && reply.date.Sub(now).Abs() > kie.SignatureWindow:
			return failf("the webhook refuses a callback that is signed with %s: its clock is %s off kie.ai's, set it by NTP", which, rounded(reply.date.Sub(now).Abs()))
		case reply.unauthorized():
			return failf("the webhook refuses a callback that is signed with %s: give it the same key, the one of https://kie.ai/settings", which)
		case reply.busy():
			return failf("the webhook accepts the signature but can't signal jobs (HTTP 503): see its log, and check that it reaches Temporal")
		case !reply.received():
			return failf("the webhook answers HTTP %d to a callback that is signed with %s: run this again, and check its log", reply.status, which)
		}
	}
	if unsigned.received() {
		return warnf("the webhook accepts callbacks without a signature, too: set KIE_WEBHOOK_HMAC_KEY there")
	}
	return okf("callbacks that are signed with KIE_WEBHOOK_HMAC_KEY are accepted, others rejected")
}
