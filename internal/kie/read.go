package kie

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// The reading calls repeat a request a few times within seconds. Longer waits
// are the caller's: they come back as Error.Delay.
const (
	readAttempts       = 3
	readAttemptTimeout = 10 * time.Second
	readTimeout        = 25 * time.Second
	shortestPause      = 200 * time.Millisecond
	longestPause       = 2 * time.Second
)

// call is one reading request. decode turns its answer into a result or an
// *Error.
type call struct {
	op     string
	taskID string
	method string
	url    string
	body   any
	decode func(answer) error
}

func newReader(transport http.RoundTripper) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: stay,
			Timeout:       readAttemptTimeout,
		},
		RetryMax:     readAttempts - 1,
		CheckRetry:   askAgain,
		Backoff:      pause,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// read makes a reading request. Its errors are *Error with the class Temporary,
// NotFound or Refused.
func (c *Client) read(ctx context.Context, call call) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	failed := func(err error) *Error {
		return &Error{Op: call.op, TaskID: call.taskID, Class: Temporary, Err: cause(err)}
	}
	// An empty slice would be sent as a body.
	var body any
	contentType := ""
	if call.body != nil {
		encoded, err := encode(call.body)
		if err != nil {
			return failed(err)
		}
		body, contentType = encoded, "application/json"
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, call.method, call.url, body)
	if err != nil {
		return failed(err)
	}
	c.prepare(request.Request, contentType)
	// Decoding inside of the retry loop is what makes an error under HTTP 200,
	// and a body that breaks off, worth another try.
	request.SetResponseHandler(func(response *http.Response) error {
		return call.decode(c.receive(call.op, call.taskID, response))
	})
	_, err = c.reads.Do(request)
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return failed(err)
}

// askAgain is the retry policy. It runs once for the exchange and once for the
// decoded answer.
func askAgain(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if err == nil || ctx.Err() != nil {
		return false, nil
	}
	var failed *Error
	if errors.As(err, &failed) {
		return failed.Class == Temporary && failed.Delay() <= longestPause, nil
	}
	return true, nil
}

// pause is the backoff: exponential with full jitter above a minimum, or what
// kie.ai asked for if that is short; askAgain has turned away the rest.
func pause(_, _ time.Duration, attempt int, response *http.Response) time.Duration {
	wait := shortestPause + rand.N(shortestPause<<attempt)
	if response != nil {
		wait = max(wait, retryAfter(response.Header))
	}
	return wait
}

// failed decides what an answer without the expected content means to a read.
// A 404 or 422 counts only if kie.ai itself has said it: a proxy's page knows
// nothing of a record.
func (a answer) failed() error {
	class := verdictOn(a.code).read
	switch {
	case a.redirects():
		return a.failure(Refused, errRedirect(a.op))
	case a.status >= 500, class == NotFound && !a.explicit:
		return a.failure(Temporary, a.err)
	default:
		return a.failure(class, a.err)
	}
}

// ok reports whether kie.ai says that it answered the request.
func (a answer) ok() bool { return a.accepts() && a.status < 300 }
