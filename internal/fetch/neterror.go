package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"lumaflow/internal/proxy"
	"lumaflow/internal/retryafter"
)

const maxRetryAfter = 10 * time.Minute

var errStalled = errors.New("nothing arrived for too long")

// connectionError is a failure to connect or to receive a response header.
func connectionError(host string, err error) error {
	if rejected, ok := errors.AsType[addressError](err); ok {
		return &Error{Kind: Forbidden, Host: host, Err: rejected}
	}
	return &Error{Kind: Transient, Host: host, Err: plain(err)}
}

// plain lets errors through whose text is made of host names, addresses and
// fixed words. The rest, such as net/http's complaints about malformed
// answers, may quote what the server sent, and that may quote the link.
func plain(err error) error {
	var through *proxy.Error
	var name *nameError
	var network net.Error
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var errno syscall.Errno
	switch {
	case errors.Is(err, errStalled):
		return errStalled
	case errors.As(err, &name), errors.As(err, &through):
		return err
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection broke")
	case errors.As(err, &certificate):
		return errors.New("its TLS certificate is not valid for it, or not trusted here")
	case errors.As(err, &network), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &errno):
		return err
	default:
		return errors.New("the server broke the HTTP protocol")
	}
}

// statusError classifies a response that is not the file.
func statusError(response *http.Response) *Error {
	failed := &Error{StatusCode: response.StatusCode, Host: response.Request.URL.Host}
	switch code := response.StatusCode; {
	// Google Cloud Storage and S3 send 400 for a link that has expired.
	case code == http.StatusBadRequest, code == http.StatusUnauthorized, code == http.StatusForbidden,
		code == http.StatusNotFound, code == http.StatusGone:
		failed.Kind = LinkDead
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		failed.Kind = Transient
		failed.RetryAfter = retryafter.Delay(response.Header, maxRetryAfter)
	default:
		failed.Kind = Rejected
	}
	return failed
}
