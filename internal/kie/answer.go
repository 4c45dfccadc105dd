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

	"lumaflow/internal/oneline"
)

const (
	// maxRetryAfter bounds what a Retry-After header can ask for.
	maxRetryAfter = 15 * time.Minute
	// maxPlainText bounds, in bytes, the bodies that are repeated as a message.
	maxPlainText = 1 << 10
)

var errTooLarge = errors.New("the answer is larger than " + strconv.Itoa(MaxBody>>20) + " MiB")

func errNoEnvelope(op string) error {
	return errors.New("the answer is not in kie.ai's format; if this goes on, check " + setting(op))
}

func errRedirect(op string) error {
	return errors.New("the address redirects elsewhere and lumaflow does not follow: set " + setting(op) + " to the final address")
}

// setting is the variable that says where a request goes.
func setting(op string) string {
	if op == opUpload {
		return "KIE_UPLOAD_BASE_URL"
	}
	return "KIE_BASE_URL"
}

// answer is what came back for a request, as far as it could be read.
type answer struct {
	op         string
	taskID     string
	status     int
	retryAfter time.Duration
	// code is the one in the body, or else the HTTP status.
	code int
	// explicit means that the body had a code: kie.ai itself has spoken, not a
	// proxy or a CDN.
	explicit bool
	message  string
	// fields and data are nil if the body has none.
	fields, data object
	// err is why the body could not be read or decoded.
	err error
}

// receive reads and closes the body of a response, whatever its status. A body
// that breaks off is as good as a complete one if the JSON in it is complete.
func (c *Client) receive(op, taskID string, response *http.Response) answer {
	defer response.Body.Close()
	got := answer{
		op:         op,
		taskID:     taskID,
		status:     response.StatusCode,
		code:       response.StatusCode,
		retryAfter: retryAfter(response.Header),
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	if len(body) > MaxBody {
		body, err = nil, errTooLarge
	}
	if fields, decodeErr := parseObject(body); decodeErr == nil {
		got.fields, got.data = fields, fields.child("data")
		if code, ok := fields.integer("code"); ok {
			got.code, got.explicit = code, true
		}
		got.message = oneline.Truncate(c.redact(fields.text("msg", "message")), maxMessage)
	} else if err != nil {
		got.err = err
	} else {
		got.err = errNoEnvelope(op)
		got.message = c.plainText(body)
	}
	c.logger.Debug("kie.ai answered", slog.String("op", op), slog.Int("status", got.status), slog.Int("code", got.code))
	return got
}

// plainText keeps a body that is a short text, such as a CDN's
// "error code: 1010", and nothing of a web page.
func (c *Client) plainText(body []byte) string {
	text := strings.TrimSpace(string(body[:min(len(body), maxPlainText+1)]))
	if text == "" || text[0] == '<' || len(text) > maxPlainText || !utf8.ValidString(text) {
		return ""
	}
	return oneline.Truncate(c.redact(text), maxMessage)
}

// accepts reports whether the answer claims that the request was accepted.
func (a answer) accepts() bool {
	if a.explicit {
		return a.code == http.StatusOK
	}
	return a.err == nil && a.status >= 200 && a.status < 300
}

// failure makes the error for an answer that is no success.
func (a answer) failure(class Class, err error) *Error {
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

// redirects reports whether the answer points elsewhere without having been
// acted upon. 303 does not: it may follow a request that was.
func (a answer) redirects() bool {
	switch a.status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// retryAfter reads both forms of the header. A date is measured against the
// server's own clock.
func retryAfter(header http.Header) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}
