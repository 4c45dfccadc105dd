package kie

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	opSubmit = "submit"
	// submitTimeout bounds a submission whose context has no earlier deadline,
	// from the connection to the last byte of the answer.
	submitTimeout = 2 * time.Minute
)

var (
	errNoTask          = errors.New("the answer names no task")
	errUnusualTask     = errors.New("the answer names a task in an unusual place and has no code")
	errRefusalWithTask = errors.New("the answer has an error code and a task id")
	errBlocked         = errors.New("the request was blocked before it reached kie.ai")
)

// Submit creates one paid task and returns its id. It makes exactly
// one POST: net/http neither repeats it nor follows a redirect with it.
//
// An error is an *Error whose class decides the next step. The class is decided
// by proof only; whatever does not prove that no task was created is Unknown:
//
//   - NotSent: no byte of the request was handed to the network, and none will
//     be after Submit has returned.
//   - Held, Refused: the body has a refusal code under an HTTP status below 500
//     (see Reason), or has no code and the HTTP status is a refusal from 400 to
//     499. A 403 without a code is Held: it is the CDN's. A redirect (301, 302,
//     307, 308) is Refused: the base URL is wrong.
//   - Unknown: the exchange broke or timed out after the first byte, an HTTP
//     5xx status with any body, the codes 500, 501 and every other that is no
//     explicit refusal, an unreadable answer, and success without a task id.
//
// An answer with code 200 and a task id is accepted under any HTTP status. A
// refusal with a task id contradicts itself: it is Unknown, and Error.TaskID
// holds the id. An answer that is not as documented (compressed, with text around
// the JSON, broken off, with the id elsewhere or under another name), or that is
// Unknown, is searched: the only id in it is accepted with code 200, else it is in
// Error.TaskID.
func (c *Client) Submit(ctx context.Context, request SubmitRequest) (taskID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	family := familyOf(request.Model)
	if family.submitPath == "" {
		return "", &Error{Op: opSubmit, Class: Refused, Err: errCollectOnly(family)}
	}
	body, err := encode(family.body(request))
	if err != nil {
		return "", &Error{Op: opSubmit, Class: NotSent, Err: err}
	}
	response, sent, err := c.postOnce(ctx, family.submitPath, body, request.Permit)
	if err != nil {
		failed := &Error{Op: opSubmit, Class: NotSent, Err: withoutURL(err)}
		if sent {
			failed.Class = Unknown
		}
		return "", failed
	}
	return c.receive(opSubmit, "", response).submitted()
}

func errCollectOnly(f *family) error {
	return errors.New(f.name + " modifies no video: its tasks can only be collected")
}

// postOnce sends the one POST. If it fails, sent reports whether any byte of the
// request may have left this machine.
func (c *Client) postOnce(ctx context.Context, path string, body []byte, permit func() error) (response *http.Response, sent bool, err error) {
	observed := &wire{permit: permit}
	request, err := http.NewRequestWithContext(observed.watch(ctx), http.MethodPost, c.api.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	c.prepare(request, "application/json")
	// Without GetBody net/http can't rewind the body, hence can't send it twice.
	request.GetBody = nil

	client := http.Client{Transport: observed.transport(c.transport), CheckRedirect: noRedirect}
	response, err = client.Do(request)
	if err != nil {
		return nil, observed.seal(), err
	}
	return response, true, nil
}

// submitted returns the task id in the answer to a submission, or classifies the
// answer.
func (a answer) submitted() (taskID string, err error) {
	id, accepted, cause := firstTaskID(a.fields, a.data), a.success(), errRefusalWithTask
	without := a.withoutTask()
	if id == "" && (a.err != nil || accepted || without.Class == Unknown) {
		found := a.candidate()
		id, accepted = found.id, found.accepted
		if !a.hasCode {
			cause = cmp.Or(a.err, errUnusualTask)
		}
	}
	switch {
	case id != "" && accepted:
		return id, nil
	case id != "":
		a.taskID = id
		return "", a.newError(Unknown, cause)
	default:
		return "", without
	}
}

// withoutTask classifies an answer to a submission that names no task.
func (a answer) withoutTask() *Error {
	switch {
	case a.status >= 500:
		return a.newError(Unknown, a.err)
	case a.redirects():
		return a.newError(Refused, errRedirect(a.op))
	case a.err != nil && a.status < 400:
		return a.newError(Unknown, a.err)
	case a.success(), a.status >= 300 && a.status < 400:
		return a.newError(Unknown, errNoTask)
	case a.status == http.StatusForbidden && !a.hasCode:
		return a.newError(Held, errBlocked)
	default:
		return a.newError(meaningOf(a.code).submit, a.err)
	}
}

// noRedirect is a redirect policy that follows none: a submission must not be
// repeated, and the API key must not be sent to another host.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// encode writes JSON without HTML escapes: URLs keep their & in kie.ai's logs
// and echoes.
func encode(value any) ([]byte, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return bytes.TrimSpace(body.Bytes()), nil
}
