package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
	"lumaflow/internal/proxy"
)

// webhookProbe is the result of the unsigned probes.
type webhookProbe struct {
	finding Finding
	// prober is nil if the settings allow no probe.
	prober  *prober
	replies replies
}

func (e *examination) checkCallback(context.Context) Finding { return e.webhook().finding }

func (e *examination) probeWebhook(ctx context.Context) webhookProbe {
	minter, _, err := e.Callbacks()
	if err != nil {
		return webhookProbe{finding: failf("%s", brief(err))}
	}
	if minter == nil {
		return webhookProbe{finding: warnf("CALLBACK_BASE_URL is not set, so jobs only poll, and a submission without an answer needs an operator: set it to the public address of a `lumaflow webhook`")}
	}
	server, err := e.server()
	if err != nil {
		return webhookProbe{finding: e.skipped("temporal", err, "callback addresses depend on the Temporal namespace, which the settings do not give")}
	}
	proxies, err := proxy.FromEnvironment()
	if err != nil {
		return webhookProbe{finding: failf("%s", brief(err))}
	}
	probed := webhookProbe{prober: newProber(minter, server.Namespace, proxies)}
	probed.replies = probed.prober.probe(ctx)
	// Callbacks has parsed it without an error.
	base, _ := url.Parse(strings.TrimSpace(e.CallbackBaseURL))
	probed.finding = webhookFinding(probed.replies, base, server.Namespace, e.simulated(ctx))
	return probed
}

// webhookFinding evaluates the answers at CALLBACK_BASE_URL. A simulated kie.ai
// reaches addresses that are not public.
func webhookFinding(got replies, base *url.URL, namespace string, simulated bool) Finding {
	where := base.Scheme + "://" + base.Host
	for _, reply := range []reply{got.wrongToken, got.rightToken, got.unsigned} {
		if reply.err != nil {
			return unreachable(where, reply.err)
		}
		if reply.status/100 == 3 {
			return failf("%s redirects callbacks%s (HTTP %d), so they are lost: set CALLBACK_BASE_URL to the final address, or stop the redirect",
				where, reply.target, reply.status)
		}
	}
	switch {
	case !got.wrongToken.unauthorized():
		return wrongTokenFinding(where, got.wrongToken)
	case got.rightToken.unauthorized():
		return failf("the webhook at %s rejects the callback addresses of this setup: give it the same CALLBACK_SECRET, and the same TEMPORAL_NAMESPACE as here (%s)", where, namespace)
	case got.rightToken.busy(), got.unsigned.busy():
		return failf("the webhook at %s can't signal jobs (HTTP 503): see its log, and check that it reaches Temporal", where)
	case !got.rightToken.tokenAccepted():
		return unexpected(where, got.rightToken)
	case !got.unsigned.received() && !got.unsigned.unauthorized():
		return unexpected(where, got.unsigned)
	case got.wrongToken.address.IsLoopback() && !simulated:
		return failf("%s is a loopback address, which kie.ai can't reach: set CALLBACK_BASE_URL to a public address", where)
	}
	return webhookWarnings(got, base, where, simulated)
}

// webhookWarnings evaluates a webhook that works from this machine.
func webhookWarnings(got replies, base *url.URL, where string, simulated bool) Finding {
	slowest := max(got.wrongToken.took, got.rightToken.took, got.unsigned.took)
	var warnings []string
	if slowest > slowAnswer {
		warnings = append(warnings, fmt.Sprintf("it took %s to answer, and kie.ai gives up after %s: find the cause of the delay", rounded(slowest), callbackTimeout))
	}
	if !got.oddID.tokenAccepted() {
		warnings = append(warnings, "a proxy in front of it rewrites or rejects some paths, so jobs whose id holds a slash or a blank get no callbacks: forward paths unchanged")
	}
	if address := got.wrongToken.address; address.IsValid() && !fetch.Public(address) && !simulated {
		warnings = append(warnings, fmt.Sprintf("it resolves to the private address %s here, so this machine can't check that kie.ai reaches it: run this from outside, too", address))
	}
	if plainOnPublicHost(base) {
		warnings = append(warnings, "CALLBACK_BASE_URL is plain http on a public host, so the tokens of callbacks can be read in transit: use https")
	}
	if len(warnings) > 0 {
		return warnf("the webhook at %s works, but %s", where, strings.Join(warnings, "; and "))
	}
	return okf("the webhook at %s accepts the callback addresses of this setup, and answers within %s", where, rounded(slowest))
}

// unreachable explains a probe without an answer.
func unreachable(where string, err error) Finding {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	advice := "start `lumaflow webhook` and the proxy in front of it, or correct CALLBACK_BASE_URL"
	switch {
	case errors.As(err, &name):
		advice = "correct CALLBACK_BASE_URL, or its DNS record"
	case errors.As(err, &certificate):
		advice = "kie.ai needs a publicly trusted certificate, so renew or replace it"
	case errors.As(err, &network) && network.Timeout():
		return failf("%s does not answer within %s, when kie.ai gives up: start `lumaflow webhook`, or find the cause of the delay", where, callbackTimeout)
	}
	return failf("%s can't be reached (%s): %s", where, brief(err), advice)
}

// wrongTokenFinding explains an answer to a wrong token that is not the
// webhook's.
func wrongTokenFinding(where string, got reply) Finding {
	switch {
	case got.status >= 200 && got.status < 300:
		return failf("the server at %s accepts a forged callback (HTTP %d), so it is not the webhook, and callbacks are lost there: route CALLBACK_BASE_URL to `lumaflow webhook`", where, got.status)
	case got.text != "" && (got.status == http.StatusNotFound || got.status == http.StatusMethodNotAllowed):
		return failf("the webhook at %s does not recognise callbacks (HTTP %d): a proxy in front of it changes the path or the method; forward requests unchanged, without the path of CALLBACK_BASE_URL", where, got.status)
	case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden, got.status == http.StatusProxyAuthRequired:
		return failf("a proxy in front of the webhook at %s rejects callbacks (HTTP %d): let POST /callbacks/luma/ pass without a login", where, got.status)
	case got.status >= 500:
		return failf("the proxy in front of the webhook at %s does not reach it (HTTP %d): start `lumaflow webhook`, or correct its backend address", where, got.status)
	default:
		return unexpected(where, got)
	}
}

func unexpected(where string, got reply) Finding {
	return failf("the server at %s is not the webhook, or a proxy changes requests (HTTP %d): route CALLBACK_BASE_URL to `lumaflow webhook` unchanged", where, got.status)
}

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
