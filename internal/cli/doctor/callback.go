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
)

// webhookExam is what the unsigned probes have shown.
type webhookExam struct {
	finding Finding
	// prober is nil if nothing could be posted.
	prober  *prober
	replies replies
}

func (e *examination) lookAtCallback(context.Context) Finding { return e.webhook().finding }

func (e *examination) examineWebhook(ctx context.Context) webhookExam {
	minter, _, err := e.Callbacks()
	if err != nil {
		return webhookExam{finding: failf("%s", said(err))}
	}
	if minter == nil {
		return webhookExam{finding: warnf("CALLBACK_BASE_URL is not set, so jobs only poll, and a submission whose answer is lost waits for you: set it to the public address of a `lumaflow webhook`")}
	}
	server, err := e.server()
	if err != nil {
		return webhookExam{finding: e.skipped("temporal", err, "the Temporal namespace is not known, to which callback addresses are bound")}
	}
	exam := webhookExam{prober: newProber(minter, server.Namespace)}
	exam.replies = exam.prober.probe(ctx)
	// The minter has accepted it.
	base, _ := url.Parse(strings.TrimSpace(e.CallbackBaseURL))
	exam.finding = judgeWebhook(exam.replies, base, server.Namespace, e.rehearsal(ctx))
	return exam
}

// judgeWebhook says what answers at CALLBACK_BASE_URL. A rehearsal is with a
// simulated kie.ai, which reaches what the internet does not.
func judgeWebhook(got replies, base *url.URL, namespace string, rehearsal bool) Finding {
	where := base.Scheme + "://" + base.Host
	for _, reply := range []reply{got.stranger, got.known, got.unsigned} {
		if reply.err != nil {
			return unreachable(where, reply.err)
		}
		if reply.redirects() {
			return failf("%s redirects callbacks%s (HTTP %d), where they are lost: set CALLBACK_BASE_URL to the final address, or stop the redirect",
				where, to(reply.location), reply.status)
		}
	}
	switch {
	case !got.stranger.unauthorized():
		return stranger(where, got.stranger)
	case got.known.unauthorized():
		return failf("the webhook at %s does not know this setup's addresses: give it the same CALLBACK_SECRET, and the same TEMPORAL_NAMESPACE as here (%s)", where, namespace)
	case got.known.busy(), got.unsigned.busy():
		return failf("the webhook at %s can't pass callbacks on (HTTP 503): see its log, and whether it reaches Temporal", where)
	case !got.known.recognised():
		return unexpected(where, got.known)
	case !got.unsigned.received() && !got.unsigned.unauthorized():
		return unexpected(where, got.unsigned)
	case got.stranger.address.IsLoopback() && !rehearsal:
		return failf("%s is this machine alone, kie.ai can't reach it: set CALLBACK_BASE_URL to a public address", where)
	}
	return reservations(got, base, where, rehearsal)
}

// reservations are about a webhook that works, as seen from here.
func reservations(got replies, base *url.URL, where string, rehearsal bool) Finding {
	var slowest time.Duration
	for _, reply := range []reply{got.stranger, got.known, got.unsigned} {
		slowest = max(slowest, reply.took)
	}
	var doubts []string
	if slowest > slow {
		doubts = append(doubts, fmt.Sprintf("it took %s to answer, and kie.ai gives up after %s: look for what slows it down", rounded(slowest), patience))
	}
	if !got.odd.recognised() {
		doubts = append(doubts, "something in front of it rewrites paths or turns some away, so jobs whose id holds a slash or a blank get no callbacks: pass paths on as they are")
	}
	if address := got.stranger.address; address.IsValid() && !fetch.Public(address) && !rehearsal {
		doubts = append(doubts, fmt.Sprintf("from here it is at the private address %s, so whether kie.ai reaches it can't be seen: run this from outside, too", address))
	}
	if base.Scheme == "http" && !rehearsal {
		doubts = append(doubts, "it is not encrypted, so the tokens of callbacks can be read on the way: use https")
	}
	if len(doubts) > 0 {
		return warnf("the webhook at %s works, but %s", where, strings.Join(doubts, "; and "))
	}
	return okf("the webhook at %s knows its jobs, and answers within %s", where, rounded(slowest))
}

// unreachable says what became of a probe that got no answer.
func unreachable(where string, err error) Finding {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var late net.Error
	advice := "start `lumaflow webhook` and what stands in front of it, or correct CALLBACK_BASE_URL"
	switch {
	case errors.As(err, &name):
		advice = "correct CALLBACK_BASE_URL, or its DNS record"
	case errors.As(err, &certificate):
		advice = "kie.ai needs a certificate that is valid everywhere, so renew or replace it"
	case errors.As(err, &late) && late.Timeout():
		return failf("%s does not answer within %s, when kie.ai gives up: start `lumaflow webhook`, or look for what slows it down", where, patience)
	}
	return failf("%s can't be reached (%s): %s", where, said(err), advice)
}

// stranger says who answers a wrong token in another way than the webhook.
func stranger(where string, got reply) Finding {
	switch {
	case got.status >= 200 && got.status < 300:
		return failf("what answers at %s says yes (HTTP %d) to a forged callback, so it is not the webhook, and callbacks are lost there: make CALLBACK_BASE_URL lead to `lumaflow webhook`", where, got.status)
	case got.word != "" && (got.status == http.StatusNotFound || got.status == http.StatusMethodNotAllowed):
		return failf("the webhook at %s does not recognise callbacks (HTTP %d): something in front of it changes the path or the method; pass requests on as they are, without the path of CALLBACK_BASE_URL", where, got.status)
	case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden, got.status == http.StatusProxyAuthRequired:
		return failf("something in front of the webhook at %s turns callbacks away (HTTP %d): let POST /callbacks/luma/ pass without a login", where, got.status)
	case got.status >= 500:
		return failf("what stands in front of the webhook at %s does not reach it (HTTP %d): start `lumaflow webhook`, or correct where it leads", where, got.status)
	default:
		return unexpected(where, got)
	}
}

func unexpected(where string, got reply) Finding {
	return failf("what answers at %s is not the webhook, or something in between changes requests (HTTP %d): make CALLBACK_BASE_URL lead to `lumaflow webhook` as it is", where, got.status)
}

func to(location string) string {
	if location == "" {
		return ""
	}
	return " to " + location
}
