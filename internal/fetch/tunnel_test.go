package fetch_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
	"lumaflow/test/proxytest"
)

const (
	public4, other4, public6 = "93.184.215.14", "93.184.215.15", "2606:2800:21f::1"
	proxyPassword            = "password-of-the-proxy"
)

// names resolves from lists of answers, one a look-up, of which the last is repeated.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
}

func (n *names) lookup(_ context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answers := n.answers[host]
	if len(answers) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n.answers[host] = answers[1:]
	}
	var addresses []netip.Addr
	for _, address := range answers[0] {
		addresses = append(addresses, netip.MustParseAddr(address))
	}
	return addresses, nil
}

func one(addresses ...string) [][]string { return [][]string{addresses} }

func TestDownloadThroughProxy(t *testing.T) {
	const cdn = "https://cdn.example/result.mp4?sig=" + secret
	trusted := proxytest.NewCertificate("cdn.example", "other.example", public4)
	data := video(100_000, 1)
	serve := compliant(data, etag)
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Host == "cdn.example" && r.URL.Path == "/result.mp4" {
				http.Redirect(w, r, to, http.StatusFound)
				return
			}
			serve(w, r)
		}
	}
	// refuse refuses targets with a prefix.
	refuse := func(status int, prefixes ...string) func(string) int {
		return func(target string) int {
			for _, prefix := range prefixes {
				if strings.HasPrefix(target, prefix) {
					return status
				}
			}
			return 0
		}
	}
	tests := map[string]struct {
		link    string
		serve   http.HandlerFunc
		answers map[string][][]string
		refuse  func(target string) int
		hosts   []string
		private bool
		noProxy string
		kind    fetch.Kind
		text    string
		targets []string
	}{
		"a public host":             {answers: map[string][][]string{"cdn.example": one(public4)}, targets: []string{public4 + ":443"}},
		"a public address":          {link: "https://" + public4 + "/", targets: []string{public4 + ":443"}},
		"a port":                    {link: "https://cdn.example:8443/", answers: map[string][][]string{"cdn.example": one(public4)}, targets: []string{public4 + ":8443"}},
		"IPv6":                      {answers: map[string][][]string{"cdn.example": one(public6)}, targets: []string{"[" + public6 + "]:443"}},
		"IPv4 before IPv6":          {answers: map[string][][]string{"cdn.example": one(public6, public4)}, targets: []string{public4 + ":443"}},
		"IPv4, mapped":              {answers: map[string][][]string{"cdn.example": one("::ffff:" + public4)}, targets: []string{public4 + ":443"}},
		"the other family":          {answers: map[string][][]string{"cdn.example": one(public4, other4, public6)}, refuse: refuse(503, public4), targets: []string{public4 + ":443", "[" + public6 + "]:443"}},
		"at most two addresses":     {answers: map[string][][]string{"cdn.example": one(public4, other4, public6)}, refuse: refuse(503, ""), kind: fetch.Transient, text: "HTTP 503", targets: []string{public4 + ":443", "[" + public6 + "]:443"}},
		"private beside public":     {answers: map[string][][]string{"cdn.example": one("10.0.0.1", public4, "::1")}, targets: []string{public4 + ":443"}},
		"private":                   {answers: map[string][][]string{"cdn.example": one("10.0.0.1")}, kind: fetch.Forbidden, text: "10.0.0.1 is not a public address"},
		"private, on the list":      {answers: map[string][][]string{"cdn.example": one("10.0.0.1")}, hosts: []string{"cdn.example"}, kind: fetch.Forbidden, text: "not a public address"},
		"private address":           {link: "https://127.0.0.2/", kind: fetch.Forbidden, text: "not a public address"},
		"private address, listed":   {link: "https://10.0.0.1/", hosts: []string{"10.0.0.1"}, kind: fetch.Forbidden, text: "not a public address"},
		"NAT64 of a private one":    {link: "https://[64:ff9b::a00:1]/", kind: fetch.Forbidden, text: "not a public address"},
		"private, in development":   {answers: map[string][][]string{"cdn.example": one("10.0.0.1")}, private: true, targets: []string{"10.0.0.1:443"}},
		"metadata, in development":  {link: "https://169.254.169.254/", private: true, kind: fetch.Forbidden, text: "not a public address"},
		"another host":              {hosts: []string{"example.org"}, kind: fetch.Forbidden, text: "FETCH_ALLOW_HOSTS does not allow"},
		"no DNS":                    {kind: fetch.Transient, text: "this machine can't resolve cdn.example; the proxy resolves hosts of FETCH_ALLOW_HOSTS alone: add cdn.example"},
		"no DNS, on the list":       {hosts: []string{"example"}, targets: []string{"cdn.example:443"}},
		"addresses refused":         {answers: map[string][][]string{"cdn.example": one(public4)}, refuse: refuse(403, public4), kind: fetch.Transient, text: "opens no connection (HTTP 403 Forbidden); the proxy resolves hosts of FETCH_ALLOW_HOSTS alone: add cdn.example", targets: []string{public4 + ":443"}},
		"addresses refused, listed": {answers: map[string][][]string{"cdn.example": one(public4, public6)}, refuse: refuse(403, public4), hosts: []string{"cdn.example"}, targets: []string{public4 + ":443", "cdn.example:443"}},
		"all refused, listed":       {answers: map[string][][]string{"cdn.example": one(public4)}, refuse: refuse(502, ""), hosts: []string{"cdn.example"}, kind: fetch.Transient, text: "HTTP 502", targets: []string{public4 + ":443", "cdn.example:443"}},
		"login refused, listed":     {answers: map[string][][]string{"cdn.example": one(public4)}, refuse: refuse(407, ""), hosts: []string{"cdn.example"}, kind: fetch.Transient, text: "HTTP 407", targets: []string{public4 + ":443"}},
		"literal address refused":   {link: "https://" + public4 + "/", refuse: refuse(403, public4), hosts: []string{public4}, kind: fetch.Transient, text: "HTTP 403", targets: []string{public4 + ":443"}},
		"redirect to a public host": {serve: redirect("https://other.example/x"), answers: map[string][][]string{"cdn.example": one(public4), "other.example": one(other4)}, targets: []string{public4 + ":443", other4 + ":443"}},
		"redirect to a private one": {serve: redirect("https://other.example/x"), answers: map[string][][]string{"cdn.example": one(public4), "other.example": one("192.168.0.1")}, kind: fetch.Forbidden, text: "not a public address", targets: []string{public4 + ":443"}},
		"redirect to an address":    {serve: redirect("https://192.168.0.1/x"), kind: fetch.Forbidden, answers: map[string][][]string{"cdn.example": one(public4)}, text: "not a public address", targets: []string{public4 + ":443"}},
		"redirect to loopback":      {serve: redirect("https://127.0.0.1/x"), kind: fetch.Forbidden, answers: map[string][][]string{"cdn.example": one(public4)}, text: "not a public address", targets: []string{public4 + ":443"}},
		"redirect off the list":     {serve: redirect("https://elsewhere.test/x"), hosts: []string{"example"}, kind: fetch.Forbidden, answers: map[string][][]string{"cdn.example": one(public4)}, text: "FETCH_ALLOW_HOSTS", targets: []string{public4 + ":443"}},
		"DNS rebinding":             {serve: redirect("https://cdn.example/x"), answers: map[string][][]string{"cdn.example": {{public4}, {"10.0.0.1"}}}, kind: fetch.Forbidden, text: "not a public address", targets: []string{public4 + ":443"}},
		"untrusted name":            {link: "https://elsewhere.test/", answers: map[string][][]string{"elsewhere.test": one(public4)}, kind: fetch.Transient, text: "certificate", targets: []string{public4 + ":443"}},
		"excepted":                  {noProxy: "cdn.example", kind: fetch.Transient, text: "dialled cdn.example:443 directly"},
		"excepted domain, redirect": {serve: redirect("https://other.example/x"), noProxy: "other.example", answers: map[string][][]string{"cdn.example": one(public4)}, kind: fetch.Transient, text: "dialled other.example:443 directly", targets: []string{public4 + ":443"}},
		"another host is excepted":  {noProxy: "dn.example", answers: map[string][][]string{"cdn.example": one(public4)}, targets: []string{public4 + ":443"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.serve == nil {
				test.serve = serve
			}
			if test.link == "" {
				test.link = cdn
			}
			var servers []string
			origin := proxytest.Server(t, trusted, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				servers = append(servers, r.TLS.ServerName)
				test.serve(w, r)
			}))
			through := proxytest.New(t, proxytest.Options{
				User: url.UserPassword("me", proxyPassword),
				Route: func(target string) (string, int) {
					if test.refuse != nil {
						if status := test.refuse(target); status != 0 {
							return "", status
						}
					}
					return origin.Listener.Addr().String(), 0
				},
			})
			proxytest.SetEnvironment(t, map[string]string{"HTTPS_PROXY": through.URL.String(), "NO_PROXY": test.noProxy})
			fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowPrivate, o.AllowHosts = test.private, test.hosts })
			fetcher.SetRoots(trusted.Roots)
			fetcher.SetLookup((&names{answers: test.answers}).lookup)
			if test.noProxy != "" {
				fetcher.SetDial(func(_ context.Context, network, address string) (net.Conn, error) {
					return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("dialled " + address + " directly")}
				})
			}
			file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: test.link, Key: key})
			through.AssertTargets(t, test.targets...)
			assert.Equal(t, test.kind, fetch.KindOf(err), "%v", err)
			if test.kind != 0 {
				require.ErrorContains(t, err, test.text)
				assertClean(t, err)
				assert.NotContains(t, err.Error(), proxyPassword)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, sum(data), file.SHA256)
			require.NoError(t, file.Close())
			if strings.HasPrefix(test.link, "https://cdn.example") {
				assert.Equal(t, "cdn.example", servers[0], "TLS has the name of the link")
			}
		})
	}
}

// In development an http link takes the proxy of HTTP_PROXY, to the same approved
// address.
func TestPlainDownloadThroughProxy(t *testing.T) {
	data := video(100_000, 1)
	origin := newOrigin(t, compliant(data, etag))
	through := proxytest.NewSOCKS(t, proxytest.Options{Route: proxytest.To(origin.Listener.Addr().String())})
	proxytest.SetEnvironment(t, map[string]string{"ALL_PROXY": through.URL.String()})
	fetcher := newFetcher(t)
	fetcher.SetLookup((&names{answers: map[string][][]string{"cdn.internal": one("10.0.0.1")}}).lookup)
	file, err := fetcher.Fetch(t.Context(), fetch.Request{URL: "http://cdn.internal:8090/result.mp4", Key: key})
	require.NoError(t, err)
	require.NoError(t, file.Close())
	through.AssertTargets(t, "10.0.0.1:8090")
	assert.Equal(t, "cdn.internal:8090", origin.requests[0].Host)
}

func TestMalformedProxy(t *testing.T) {
	proxytest.SetEnvironment(t, map[string]string{"HTTPS_PROXY": "socks://me:" + proxyPassword + "@proxy.example"})
	_, err := fetch.New(fetch.Options{WorkDir: t.TempDir()})
	require.ErrorContains(t, err, "HTTPS_PROXY has a scheme other than")
	assert.NotContains(t, err.Error(), proxyPassword)
}
