package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"lumaflow/internal/weburl"
)

const (
	// maxRedirects is that of net/http.
	maxRedirects = 10
	// connectTimeout bounds the dial and the TLS handshake, each.
	connectTimeout = 10 * time.Second
)

func newTransport(options Options) *http.Transport {
	dialer := &net.Dialer{Timeout: connectTimeout, ControlContext: guard(options.AllowPrivate)}
	return &http.Transport{
		// A proxy of net/http would resolve names itself and bypass the guard: see
		// tunnel.
		Proxy:               nil,
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: connectTimeout,
		// The guard checks every new connection, and the transport retries only on
		// a reused one. HTTP/2, which a custom dialer disables, gains nothing with
		// one body per connection. The stall watchdog bounds the response header.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// admit rejects links by scheme, user and host name. The guard rejects addresses.
func (f *Fetcher) admit(link *url.URL) error {
	var reason string
	switch {
	case link.Scheme != "https" && (link.Scheme != "http" || !f.options.AllowPrivate):
		reason = "the link is not https"
	case link.User != nil:
		reason = "the link carries a user name or password"
	case !allowedHost(f.options.AllowHosts, link.Hostname()):
		reason = "FETCH_ALLOW_HOSTS does not allow this host"
	default:
		return nil
	}
	return &Error{Kind: Forbidden, Host: link.Host, Err: errors.New(reason)}
}

// get requests the link and follows redirects itself: http.Client would send each
// link as the Referer of the next request and quote it in errors.
func (f *Fetcher) get(ctx context.Context, link *url.URL, header http.Header) (*http.Response, error) {
	for redirects := 0; ; redirects++ {
		if err := f.admit(link); err != nil {
			return nil, err
		}
		if redirects > maxRedirects {
			return nil, &Error{Kind: Forbidden, Host: link.Host, Err: fmt.Errorf("more than %d redirects", maxRedirects)}
		}
		request := (&http.Request{Method: http.MethodGet, URL: link, Host: link.Host, Header: header.Clone()}).WithContext(ctx)
		response, err := f.transportTo(link).RoundTrip(request)
		if err != nil {
			return nil, connectionError(link.Host, cmp.Or(context.Cause(ctx), err))
		}
		switch response.StatusCode {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
			http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return response, nil
		}
		_ = response.Body.Close()
		next, err := weburl.Resolve(link, response.Header.Get("Location"))
		if err != nil {
			return nil, &Error{Kind: Transient, StatusCode: response.StatusCode, Host: link.Host, Err: fmt.Errorf("the redirect has no usable target: %w", err)}
		}
		link = next
	}
}
