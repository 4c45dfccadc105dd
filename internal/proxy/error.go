package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Error is a connection that a proxy did not open. Its text holds addresses and fixed
// words, and neither the user nor the password of the proxy.
type Error struct {
	// Proxy is the host and port of the proxy.
	Proxy string
	// Refused means that the proxy was reached and opened no connection.
	Refused bool
	// Status is the HTTP status of a refusal; zero without one.
	Status int
	Err    error
}

func (e *Error) Error() string {
	switch {
	case e.Status == http.StatusProxyAuthRequired:
		return fmt.Sprintf("the proxy %s requires its user and password before its host, as in http://user:password@%s (HTTP 407)", e.Proxy, e.Proxy)
	case e.Status != 0:
		return fmt.Sprintf("the proxy %s opens no connection (HTTP %s)", e.Proxy, strings.TrimSpace(fmt.Sprint(e.Status, " ", http.StatusText(e.Status))))
	case e.Refused:
		return fmt.Sprintf("the proxy %s opens no connection: %v", e.Proxy, e.Err)
	default:
		return fmt.Sprintf("the proxy %s can't be reached: %v", e.Proxy, e.Err)
	}
}

func (e *Error) Unwrap() error { return e.Err }

// CheckConnect is an http.Transport.OnProxyConnectResponse: any status but success is
// an *Error.
func CheckConnect(_ context.Context, proxy *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode/100 == 2 {
		return nil
	}
	return &Error{Proxy: Address(proxy), Refused: true, Status: response.StatusCode}
}
