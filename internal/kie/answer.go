package kie

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"lumaflow/internal/coding"
	"lumaflow/internal/oneline"
	"lumaflow/internal/retryafter"
)

const (
	// maxRetryAfter bounds the delay that a Retry-After header can request.
	maxRetryAfter = 15 * time.Minute
	// maxPlainText bounds, in bytes, the bodies without an envelope that are
	// kept as a message.
	maxPlainText = 1 << 10
)

var errTooLarge = errors.New("the answer is larger than " + strconv.Itoa(MaxBody>>20) + " MiB")

func errNoEnvelope(op string) error {
	return errors.New("the answer is not in kie.ai's format; if it persists, check " + setting(op))
}

func errRedirect(op string) error {
	return errors.New("the address redirects elsewhere and lumaflow does not follow: set " + setting(op) + " to the final address")
}

// setting is the name of the variable that holds the host of a request.
func setting(op string) string {
	if op == opUpload {
		return "KIE_UPLOAD_BASE_URL"
	}
	return "KIE_BASE_URL"
}

// answer is a response of kie.ai, decoded as far as possible.
type answer struct {
	op         string
	taskID     string
	status     int
	retryAfter time.Duration
	// code is the envelope's code, or else the HTTP status.
	code int
	// hasCode is true if the body has a code. Then the answer is from kie.ai
	// and not from a proxy or CDN.
	hasCode bool
	message string
	// fields is the envelope, data its member of that name; nil if absent.
	fields, data object
	// raw is the start of the body, at most MaxBody bytes.
	raw []byte
	// err is the reason why the body could not be read or decoded.
	err error
}

// receive reads and closes the body of a response of any status, also a compressed
// one. A body that breaks off after a complete JSON document counts as complete.
func (c *Client) receive(op, taskID string, response *http.Response) answer {
	defer response.Body.Close()
	a := answer{
		op:         op,
		taskID:     taskID,
		status:     response.StatusCode,
		code:       response.StatusCode,
		retryAfter: retryafter.Delay(response.Header, maxRetryAfter),
	}
	body, err := readBody(response)
	a.raw = body[:min(len(body), MaxBody)]
	if len(body) > MaxBody {
		body, err = nil, errTooLarge
	}
	if fields, decodeErr := parseObject(body); decodeErr == nil {
		a.fields, a.data = fields, fields.child("data")
		if code, ok := fields.integer("code"); ok {
			a.code, a.hasCode = code, true
		}
		a.message = oneline.Truncate(c.redact(fields.text("msg", "message")), maxMessage)
	} else if err != nil {
		a.err = err
	} else {
		a.err = errNoEnvelope(op)
		a.message = c.plainText(body)
	}
	c.logger.Debug("kie.ai answered", slog.String("op", op), slog.Int("status", a.status), slog.Int("code", a.code))
	return a
}

// readBody returns at most MaxBody+1 bytes of a body, without its content coding and in
// UTF-8, and those before an error.
func readBody(response *http.Response) ([]byte, error) {
	decoded, _, err := coding.NewReader(response.Body, response.Header)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(decoded, MaxBody+1))
	return fromUTF16(body), err
}

// plainText returns a body that is a short text, such as a CDN's
// "error code: 1010". Web pages and binary bodies give an empty text.
func (c *Client) plainText(body []byte) string {
	text := strings.TrimSpace(string(body[:min(len(body), maxPlainText+1)]))
	if text == "" || text[0] == '<' || len(text) > maxPlainText || !utf8.ValidString(text) {
		return ""
	}
	return oneline.Truncate(c.redact(text), maxMessage)
}

// success reports whether the answer has code 200 or, without a code, a 2xx
// status.
func (a answer) success() bool {
	if a.hasCode {
		return a.code == http.StatusOK
	}
	return a.err == nil && a.status >= 200 && a.status < 300
}

// redirects reports whether the status is a redirect that implies that the
// request was not processed. 303 does not imply it.
func (a answer) redirects() bool {
	switch a.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

func (a answer) newError(class Class, err error) *Error {
	return &Error{
		Op:         a.op,
		TaskID:     a.taskID,
		Class:      class,
		Code:       a.code,
		HTTPStatus: a.status,
		Message:    a.message,
		RetryAfter: a.retryAfter,
		Err:        err,
	}
}
