package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"lumaflow/internal/proxy"
)

// CheckProxy connects as downloads do through the proxy of the environment, and sends
// nothing: to each host of AllowHosts, or else to the first of the examples that is
// public and needs a proxy. It returns the host and port of the proxy, empty if none of
// them needs one. Its error is one line for the operator: a result that kie.ai has made
// could not be downloaded.
func (f *Fetcher) CheckProxy(ctx context.Context, examples ...string) (through string, err error) {
	links := examples
	listed := len(f.options.AllowHosts) > 0
	if listed {
		links = nil
		for _, host := range f.options.AllowHosts {
			links = append(links, "https://"+net.JoinHostPort(host, "443"))
		}
	}
	for _, link := range links {
		target, err := url.Parse(link)
		if err != nil {
			return through, fmt.Errorf("check the proxy: %w", err)
		}
		used := f.proxies.For(target)
		if used == nil || target.Scheme != "https" && !f.options.AllowPrivate {
			continue
		}
		through = proxy.Address(used)
		private, problem := f.tryTunnel(ctx, used, target)
		if listed && problem == nil || !listed && private && link != links[len(links)-1] {
			continue
		}
		return through, problem
	}
	return through, nil
}

// tryTunnel returns nil if downloads from the target may work: a domain of
// FETCH_ALLOW_HOSTS may have no server but those of its subdomains.
func (f *Fetcher) tryTunnel(ctx context.Context, through, target *url.URL) (private bool, problem error) {
	host := target.Hostname()
	port := cmp.Or(target.Port(), map[string]string{"http": "80", "https": "443"}[target.Scheme])
	connection, err := f.tunnel(through).DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err == nil {
		_ = connection.Close()
		return false, nil
	}
	listed := len(f.options.AllowHosts) > 0
	refused, _ := errors.AsType[*proxy.Error](err)
	_, private = errors.AsType[addressError](err)
	cause, advice := err.Error(), "set FETCH_ALLOW_HOSTS to the hosts of results, whose names the proxy then resolves"
	if name, ok := errors.AsType[*nameError](err); ok {
		cause = name.cause()
	}
	switch {
	case refused != nil && (!refused.Refused || refused.Status == http.StatusProxyAuthRequired):
		advice = "correct HTTPS_PROXY, or except the hosts of results in NO_PROXY"
	case listed && refused != nil && refused.Status == http.StatusForbidden:
		advice = "let the proxy admit this host of FETCH_ALLOW_HOSTS, or list the exact hosts of results"
	case listed:
		return private, nil
	case private:
		advice = "give this machine a DNS server that resolves public names"
	}
	return private, fmt.Errorf("results can't be downloaded through the proxy: connect to %s: %s: %s", host, cause, advice)
}
