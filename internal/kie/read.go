package kie

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"lumaflow/internal/retryafter"
)

// The client retries a read within seconds. Longer delays are left to the
// caller: see Error.Delay.
const (
	readAttempts       = 3
	readAttemptTimeout = 10 * time.Second
	readTimeout        = 25 * time.Second
	minReadBackoff     = 200 * time.Millisecond
	maxReadBackoff     = 2 * time.Second
)

// readRequest is a request without side effects at kie.ai.
type readRequest struct {
	op     string
	taskID string
	method string
	url    *url.URL
	body   any
}

func newReader(transport http.RoundTripper) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: noRedirect,
			Timeout:       readAttemptTimeout,
		},
		RetryMax:     readAttempts - 1,
		CheckRetry:   retryRead,
		Backoff:      readBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

// read sends a request and returns its decoded answer. Its errors are *Error
// with the class Temporary, NotFound or Refused.
func read[T any](ctx context.Context, c *Client, request readRequest, decode func(answer) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var result, none T
	fail := func(err error) (T, error) {
		return none, &Error{Op: request.op, TaskID: request.taskID, Class: Temporary, Err: withoutURL(err)}
	}
	// retryablehttp would send a nil []byte as a body; it has to be a nil any.
	var body any
	contentType := ""
	if request.body != nil {
		encoded, err := encode(request.body)
		if err != nil {
			return fail(err)
		}
		body, contentType = encoded, "application/json"
	}
	httpRequest, err := retryablehttp.NewRequestWithContext(ctx, request.method, request.url.String(), body)
	if err != nil {
		return fail(err)
	}
	c.prepare(httpRequest.Request, contentType)
	// The answer is decoded inside the retry loop: an error under HTTP 200 and a
	// body that breaks off are retried too.
	httpRequest.SetResponseHandler(func(response *http.Response) (err error) {
		result, err = decode(c.receive(request.op, request.taskID, response))
		return err
	})
	if _, err = c.reads.Do(httpRequest); err == nil { //nolint:bodyclose // receive closes it
		return result, nil
	}
	if _, decoded := errors.AsType[*Error](err); decoded {
		return none, err
	}
	return fail(err)
}

// retryRead is the retry policy of reads. retryablehttp calls it after the
// exchange, and after the answer was decoded.
func retryRead(ctx context.Context, _ *http.Response, err error) (bool, error) {
	if err == nil || ctx.Err() != nil {
		return false, nil
	}
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Class == Temporary && failed.Delay() <= maxReadBackoff, nil
	}
	return true, nil
}

// readBackoff is exponential with full jitter above a minimum, or the delay of
// Retry-After if that is longer; retryRead rejects delays above maxReadBackoff.
func readBackoff(_, _ time.Duration, attempt int, response *http.Response) time.Duration {
	backoff := minReadBackoff + rand.N(minReadBackoff<<attempt)
	if response != nil {
		backoff = max(backoff, retryafter.Delay(response.Header, maxRetryAfter))
	}
	return backoff
}

// readable reports whether the answer is a success under a status below 300.
func (a answer) readable() bool { return a.success() && a.status < 300 }

// readError classifies an answer to a read that lacks the expected content. 404
// and 422 prove that there is no record only with a code in the body: a proxy's
// page proves nothing.
func (a answer) readError() error {
	class := meaningOf(a.code).read
	switch {
	case a.redirects():
		return a.newError(Refused, errRedirect(a.op))
	case a.status >= 500, class == NotFound && !a.hasCode:
		return a.newError(Temporary, a.err)
	default:
		return a.newError(class, a.err)
	}
}
