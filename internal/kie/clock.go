package kie

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const opClock = "clock"

// Clock is the difference between this machine's clock and kie.ai's.
type Clock struct {
	// Ahead is positive if this machine's clock is ahead of kie.ai's.
	Ahead time.Duration
	// Margin is the largest error of Ahead, in either direction.
	Margin time.Duration
}

// CompareClocks compares this machine's clock with the Date header of a response
// of any status; it needs no API key. The header may be set by the CDN in front
// of kie.ai, whose clock is taken for kie.ai's. CompareClocks makes at most
// three requests within 25 seconds. Its errors are about the settings, or *Error
// with the class Temporary.
func CompareClocks(ctx context.Context, options Options) (Clock, error) {
	api, err := baseURL(options.BaseURL, DefaultBaseURL)
	if err != nil {
		return Clock{}, fmt.Errorf("KIE_BASE_URL %w", err)
	}
	transport := options.Transport
	if transport == nil {
		own, err := newTransport()
		if err != nil {
			return Clock{}, err
		}
		defer own.CloseIdleConnections()
		transport = own
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	fail := func(err error) (Clock, error) {
		return Clock{}, &Error{Op: opClock, Class: Temporary, Err: withoutURL(err)}
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, api.JoinPath(balancePath).String(), nil)
	if err != nil {
		return fail(err)
	}
	request.Header.Set("User-Agent", cmp.Or(options.UserAgent, UserAgent("dev")))
	sent := time.Now()
	response, err := newReader(transport).Do(request)
	if err != nil {
		return fail(err)
	}
	received := time.Now()
	defer response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return fail(errors.New("the answer has no readable Date header"))
	}
	// The estimate assumes that the header was set halfway through the exchange
	// and halfway through the second that it names.
	half := received.Sub(sent) / 2
	return Clock{
		Ahead:  sent.Add(half).Sub(date.Add(time.Second / 2)),
		Margin: half + time.Second/2,
	}, nil
}
