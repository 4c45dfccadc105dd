package kie

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const opClock = "clock"

// Clock is how this machine's clock compares with kie.ai's.
type Clock struct {
	// Ahead is how far this machine's clock is ahead of kie.ai's; below zero it
	// is behind.
	Ahead time.Duration
	// Margin is how far Ahead may be off, either way.
	Margin time.Duration
}

// AskClock compares the clocks by the Date header of an answer, whatever the
// answer says, so it needs no key. Who answers may be the CDN in front of
// kie.ai; its clock is taken for kie.ai's. It tries three times within 25
// seconds. Its errors are about the settings, or *Error with the class
// Temporary.
func AskClock(ctx context.Context, options Options) (Clock, error) {
	api, err := baseURL(options.BaseURL, DefaultBaseURL)
	if err != nil {
		return Clock{}, errors.New("KIE_BASE_URL " + err.Error())
	}
	transport := options.Transport
	if transport == nil {
		own := newTransport()
		defer own.CloseIdleConnections()
		transport = own
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	failed := func(err error) error { return &Error{Op: opClock, Class: Temporary, Err: cause(err)} }
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, api.JoinPath(creditPath).String(), nil)
	if err != nil {
		return Clock{}, failed(err)
	}
	request.Header.Set("User-Agent", cmp.Or(options.UserAgent, UserAgent("dev")))
	sent := time.Now()
	response, err := newReader(transport).Do(request)
	if err != nil {
		return Clock{}, failed(err)
	}
	answered := time.Now()
	defer response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return Clock{}, failed(errors.New("the answer has no readable Date header"))
	}
	// The answer was made halfway between the two, more or less, and halfway
	// through the second that the header names.
	way := answered.Sub(sent) / 2
	return Clock{
		Ahead:  sent.Add(way).Sub(date.Add(time.Second / 2)),
		Margin: way + time.Second/2,
	}, nil
}
