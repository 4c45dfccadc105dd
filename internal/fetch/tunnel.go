package fetch

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"lumaflow/internal/proxy"
)

// transportTo returns the transport to the host of a link: direct, or through the
// proxy that the environment sets for it.
func (f *Fetcher) transportTo(link *url.URL) *http.Transport {
	through := f.proxies.For(link)
	if through == nil {
		return f.transport
	}
	tunnelled := f.transport.Clone()
	tunnelled.DialContext = f.tunnel(through).DialContext
	return tunnelled
}

func (f *Fetcher) tunnel(through *url.URL) tunnel {
	return tunnel{proxy.Tunnel{Proxy: through}, f.lookup, f.options.AllowPrivate, len(f.options.AllowHosts) > 0}
}

// tunnel connects to hosts through a proxy, under the same rules as the guard: a name
// is resolved here and the proxy connects to an approved address. TLS still verifies
// the name.
type tunnel struct {
	proxy        proxy.Tunnel
	lookup       func(ctx context.Context, network, host string) ([]netip.Addr, error)
	allowPrivate bool
	// byName means that the proxy may resolve a name, if it can't be resolved here or
	// the proxy does not connect to the address. Only hosts of FETCH_ALLOW_HOSTS get
	// here then.
	byName bool
}

// nameError is a host that only the proxy could resolve, which it may not.
type nameError struct {
	host string
	err  error
}

func (e *nameError) Error() string {
	return e.cause() + "; the proxy resolves hosts of FETCH_ALLOW_HOSTS alone: add " + e.host
}

func (e *nameError) cause() string {
	if _, ok := errors.AsType[*proxy.Error](e.err); ok {
		return e.err.Error()
	}
	return "this machine can't resolve " + e.host
}

func (e *nameError) Unwrap() error { return e.err }

// DialContext returns a connection to a host, or fails with an addressError, a
// *nameError, a *proxy.Error or the cause of the end of ctx.
func (t tunnel) DialContext(ctx context.Context, network, target string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return nil, addressError{}
	}
	if address, err := netip.ParseAddr(host); err == nil {
		if err := approve(address, t.allowPrivate); err != nil {
			return nil, err
		}
		return t.proxy.DialContext(ctx, network, target)
	}
	addresses, err := t.approved(ctx, host)
	for _, address := range addresses {
		var connection net.Conn
		connection, err = t.proxy.DialContext(ctx, network, net.JoinHostPort(address.String(), port))
		if err == nil {
			return connection, nil
		}
		if failed, ok := errors.AsType[*proxy.Error](err); !ok || !failed.Refused || failed.Status == http.StatusProxyAuthRequired {
			return nil, err
		}
		if t.byName {
			break
		}
	}
	if _, private := errors.AsType[addressError](err); private || ctx.Err() != nil {
		return nil, err
	}
	if !t.byName {
		return nil, &nameError{host, err}
	}
	return t.proxy.DialContext(ctx, network, target)
}

// approved resolves a host. It returns at most two of the approved addresses, which
// bounds the time of an attempt: if possible one of each family, IPv4 first since the
// proxy may have no IPv6.
func (t tunnel) approved(ctx context.Context, host string) ([]netip.Addr, error) {
	bounded, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found, err := t.lookup(bounded, "ip", host)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	var rejected error = addressError{}
	found = slices.DeleteFunc(found, func(address netip.Addr) bool {
		err := approve(address, t.allowPrivate)
		if err != nil {
			rejected = err
		}
		return err != nil
	})
	if len(found) == 0 {
		return nil, rejected
	}
	for i, address := range found {
		found[i] = address.Unmap()
	}
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	if six := slices.IndexFunc(found, netip.Addr.Is6); six > 1 {
		found[1] = found[six]
	}
	return found[:min(len(found), 2)], nil
}
