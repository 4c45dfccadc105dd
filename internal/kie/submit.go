package kie

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	opSubmit   = "submit"
	submitPath = "/api/v1/modify/generate"
	// submitTimeout bounds a submission whose context has no earlier deadline,
	// from the connection to the last byte of the answer.
	submitTimeout = 2 * time.Minute
)

// SubmitRequest asks for one modified video. Prompt (English only) and VideoURL
// (public; MP4, MOV or AVI of at most 500 MB and 10 s) are required by kie.ai;
// it is left to kie.ai to refuse them.
type SubmitRequest struct {
	Prompt   string
	VideoURL string
	// CallbackURL is where kie.ai reports the end of the task. It is echoed in
	// the record and in the callback.
	CallbackURL string
	// Watermark is an optional identifier that kie.ai does not explain.
	Watermark string
}

var (
	errNoTask     = errors.New("the answer names no task")
	errTwofold    = errors.New("the answer refuses and yet names a task")
	errTurnedAway = errors.New("the request was turned away before it reached kie.ai")
)

// Submit creates one paid task and returns its id. It makes exactly one POST:
// nothing below it, neither retryablehttp nor net/http, repeats it or follows
// a redirect with it.
//
// An error is an *Error whose class says what may be done next. It is decided
// by proof only; whatever does not prove that no task was created is Unknown:
//
//   - NotSent: no byte of the request was handed to the network, and none will
//     be after Submit has returned.
//   - Held, Refused: kie.ai said so in a code under an HTTP status below 500
//     (see Reason), or an HTTP 4xx status said so in its place. An answer 403
//     without a code is Held: the CDN has turned the request away. A redirect
//     (301, 302, 307, 308) is Refused: the base URL is wrong.
//   - Unknown: the exchange broke or timed out after the first byte, an HTTP
//     5xx status whatever its body says, the codes 500, 501 and every other
//     that is no explicit refusal, an answer that can't be read, and success
//     without a task id.
//
// An answer of code 200 that names a task is accepted under any HTTP status. A
// refusal that names a task contradicts itself: it is Unknown, and Error.TaskID
// holds the id.
func (c *Client) Submit(ctx context.Context, request SubmitRequest) (taskID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	body, err := encode(struct {
		Prompt      string `json:"prompt"`
		VideoURL    string `json:"videoUrl"`
		CallbackURL string `json:"callBackUrl,omitempty"`
		Watermark   string `json:"watermark,omitempty"`
	}(request))
	if err != nil {
		return "", &Error{Op: opSubmit, Class: NotSent, Err: err}
	}
	response, sent, err := c.postOnce(ctx, body)
	if err != nil {
		failed := &Error{Op: opSubmit, Class: NotSent, Err: cause(err)}
		if sent {
			failed.Class = Unknown
		}
		return "", failed
	}
	return c.receive(opSubmit, "", response).accepted()
}

// postOnce sends the one POST. If it fails, sent tells whether any byte of it
// may have left.
func (c *Client) postOnce(ctx context.Context, body []byte) (response *http.Response, sent bool, err error) {
	line := new(wire)
	request, err := retryablehttp.NewRequestWithContext(line.watch(ctx), http.MethodPost, c.api.JoinPath(submitPath).String(), body)
	if err != nil {
		return nil, false, err
	}
	c.prepare(request.Request, "application/json")
	// Without GetBody net/http can't rewind the body, hence not send it again.
	request.GetBody = nil

	client := retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: line.transport(c.transport), CheckRedirect: stay},
		RetryMax:     0,
		CheckRetry:   func(context.Context, *http.Response, error) (bool, error) { return false, nil },
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	response, err = client.Do(request)
	if err != nil {
		return nil, line.seal(), err
	}
	return response, true, nil
}

// accepted decides what an answer to a submission means.
func (a answer) accepted() (taskID string, err error) {
	id := firstTaskID(a.fields, a.data)
	switch {
	case id != "" && a.accepts():
		return id, nil
	case id != "":
		a.taskID = id
		return "", a.failure(Unknown, errTwofold)
	case a.status >= 500:
		return "", a.failure(Unknown, a.err)
	case a.redirects():
		return "", a.failure(Refused, errRedirect(a.op))
	case a.err != nil && a.status < 400:
		return "", a.failure(Unknown, a.err)
	case a.accepts(), a.status >= 300 && a.status < 400:
		return "", a.failure(Unknown, errNoTask)
	case a.status == http.StatusForbidden && !a.explicit:
		return "", a.failure(Held, errTurnedAway)
	default:
		return "", a.failure(verdictOn(a.code).submit, a.err)
	}
}

// stay is a redirect policy: none is followed, since a submission must not be
// repeated and the API key must not travel.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// encode writes JSON without HTML escapes, so that the URLs in it look as they
// were given.
func encode(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSpace(body.Bytes()), nil
}
