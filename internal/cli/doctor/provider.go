package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lumaflow/internal/fetch"
	"lumaflow/internal/kie"
)

const (
	// lowCredits pays for about ten tasks. kie.ai documents no price; users report
	// 100 credits a task.
	lowCredits = 1000
	// clockWarning is the clock error from which to warn, well before signatures
	// fail.
	clockWarning = time.Minute
)

func (e *examination) checkKey(ctx context.Context) Finding {
	provider, err := e.Provider(e.logger)
	if err != nil {
		return failf("%s", brief(err))
	}
	defer provider.CloseIdleConnections()
	credit, err := provider.Credit(ctx)
	if err != nil {
		return creditErrorFinding(err)
	}
	left := strconv.FormatFloat(credit, 'f', -1, 64)
	switch {
	case credit <= 0:
		return failf("kie.ai accepts KIE_API_KEY, but there is no credit left (%s): jobs are held until you top up at https://kie.ai", left)
	case credit < lowCredits:
		return warnf("kie.ai accepts KIE_API_KEY, but only %s credits are left, which may be fewer than ten videos: top up at https://kie.ai", left)
	default:
		return okf("kie.ai accepts KIE_API_KEY, %s credits are left", left)
	}
}

// creditErrorFinding explains a failed request for the credit. A passing error is
// no failure of the setup.
func creditErrorFinding(err error) Finding {
	failed, ok := errors.AsType[*kie.Error](err)
	if !ok {
		return failf("the credit request to kie.ai failed (%s)", brief(err))
	}
	switch {
	case failed.Code == http.StatusUnauthorized:
		return failf("kie.ai refuses KIE_API_KEY (code 401): check it at https://kie.ai/api-key")
	case failed.Code == 0:
		return failf("kie.ai can't be reached (%s): check the network, the proxy and KIE_BASE_URL; jobs wait until it answers", unanswered(failed))
	case failed.Code == 433:
		return warnf("KIE_API_KEY has reached its usage cap: raise it at https://kie.ai/api-key, or wait until it resets; jobs are held")
	case failed.Code == http.StatusTooManyRequests, failed.Code == 455, failed.Code >= 500:
		return warnf("kie.ai can't check KIE_API_KEY now (%s): try again later; jobs wait", brief(err))
	default:
		return failf("kie.ai answers the check of KIE_API_KEY with an error (%s): check it and KIE_BASE_URL", brief(err))
	}
}

// unanswered is the reason of a request without an answer, or the whole error if it
// has none.
func unanswered(failed *kie.Error) string {
	if failed.Err != nil {
		return brief(failed.Err)
	}
	return brief(failed)
}

func (e *examination) checkClock(context.Context) Finding {
	clock, err := e.clock()
	if failed, ok := errors.AsType[*kie.Error](err); ok {
		return warnf("kie.ai gives no time (%s): check by other means that this machine's clock is right", unanswered(failed))
	}
	if err != nil {
		return failf("%s", brief(err))
	}
	direction := "ahead of"
	if clock.Ahead < 0 {
		direction = "behind"
	}
	off := clock.Ahead.Abs()
	const mend = "set it by NTP; a webhook on this machine"
	switch certain := off - clock.Margin; {
	case certain > kie.SignatureWindow:
		return failf("this machine's clock is %s %s kie.ai's: %s refuses every signed callback", rounded(off), direction, mend)
	case certain > clockWarning:
		return warnf("this machine's clock is %s %s kie.ai's: %s refuses signed callbacks beyond %s", rounded(off), direction, mend, kie.SignatureWindow)
	case off <= clock.Margin:
		return okf("this machine's clock agrees with kie.ai's, to %s", rounded(clock.Margin))
	default:
		return okf("this machine's clock is %s %s kie.ai's", rounded(off), direction)
	}
}

// rounded is a duration with about two significant digits.
func rounded(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(time.Second / 10)
	default:
		return d.Round(time.Millisecond)
	}
}

// simulated reports whether KIE_BASE_URL is a simulated kie.ai: its host has
// private addresses only.
func (e *examination) simulated(ctx context.Context) bool {
	base, err := url.Parse(e.KieBaseURL)
	if err != nil {
		return false
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", base.Hostname())
	return err == nil && len(addresses) > 0 && !slices.ContainsFunc(addresses, fetch.Public)
}
