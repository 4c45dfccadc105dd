// Package proxy reads the proxies of the environment and opens connections through
// them.
package proxy

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpproxy"
)

// Settings are the proxies of the environment.
type Settings struct {
	choose func(*url.URL) (*url.URL, error)
}

// FromEnvironment reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY, then those in lower case,
// as net/http does for the other connections of the process, and ALL_PROXY for a scheme
// that has no proxy of its own. Its errors name the malformed variable and do not quote
// it, since it may hold a password.
func FromEnvironment() (Settings, error) {
	secure, err := fromVariables("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
	if err != nil {
		return Settings{}, err
	}
	plain, err := fromVariables("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
	if err != nil {
		return Settings{}, err
	}
	_, exceptions := firstSet("NO_PROXY", "no_proxy")
	config := httpproxy.Config{NoProxy: exceptions}
	if secure != nil {
		config.HTTPSProxy = secure.String()
	}
	if plain != nil {
		config.HTTPProxy = plain.String()
	}
	return Settings{config.ProxyFunc()}, nil
}

// fromVariables parses the first of the variables that is set.
func fromVariables(names ...string) (*url.URL, error) {
	name, value := firstSet(names...)
	if value == "" {
		return nil, nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	address, err := url.Parse(value)
	const form = "give an address like http://host:3128, in which the user and password of the proxy may stand before the host, percent-encoded"
	switch {
	case err != nil || address.Hostname() == "" || !isPort(address.Port()) || strings.TrimPrefix(address.Path, "/") != "" || address.RawQuery != "" || address.Fragment != "":
		return nil, fmt.Errorf("%s is not the address of a proxy: %s", name, form)
	case ports[address.Scheme] == "":
		return nil, fmt.Errorf("%s has a scheme other than http, https, socks5 and socks5h: %s", name, form)
	}
	return address, nil
}

func firstSet(names ...string) (name, value string) {
	for _, name := range names {
		if value := os.Getenv(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

func isPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

// For returns the proxy of requests to a URL, nil if they need none. Loopback
// addresses need none.
func (s Settings) For(target *url.URL) *url.URL {
	// Only the environment of CGI gives an error, which FromEnvironment leaves out.
	through, _ := s.choose(target)
	return through
}

// ForRequest is For in the form of http.Transport.Proxy. Its error is nil.
func (s Settings) ForRequest(request *http.Request) (*url.URL, error) { return s.For(request.URL), nil }

// ports are the default ports of the supported schemes.
var ports = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// Address is the host and port of a proxy, without its user and password.
func Address(proxy *url.URL) string {
	return net.JoinHostPort(proxy.Hostname(), cmp.Or(proxy.Port(), ports[proxy.Scheme]))
}
