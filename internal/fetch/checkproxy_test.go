package fetch_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/fetch"
	"lumaflow/internal/proxy"
	"lumaflow/test/proxytest"
)

func TestCheckProxy(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	defer server.Close()
	open := proxytest.To(server.Listener.Addr().String())
	names := &names{answers: map[string][][]string{
		"api.example": one(public4), "results.example": one(other4), "gateway.example": one("10.0.0.1"),
	}}
	// namesOnly connects to names alone.
	namesOnly := func(target string) (string, int) {
		if strings.HasPrefix(target, "93.") {
			return "", http.StatusForbidden
		}
		return open(target)
	}
	const setHosts = ": set FETCH_ALLOW_HOSTS to the hosts of results"
	tests := map[string]struct {
		route    func(string) (string, int)
		examples []string
		hosts    []string
		private  bool
		noProxy  string
		text     string // of the error
		direct   bool
		targets  []string
	}{
		"open":                        {route: open, targets: []string{public4 + ":443"}},
		"an address":                  {route: open, examples: []string{"https://" + public4}, targets: []string{public4 + ":443"}},
		"no DNS":                      {route: open, examples: []string{"https://dark.example"}, text: "connect to dark.example: this machine can't resolve dark.example" + setHosts},
		"no DNS, on the list":         {route: open, hosts: []string{"dark.example"}, targets: []string{"dark.example:443"}},
		"names alone":                 {route: namesOnly, text: "connect to api.example: the proxy PROXY opens no connection (HTTP 403 Forbidden)" + setHosts, targets: []string{public4 + ":443"}},
		"names alone, address":        {route: namesOnly, examples: []string{"https://" + public4}, text: "(HTTP 403 Forbidden)" + setHosts, targets: []string{public4 + ":443"}},
		"names alone, on the list":    {route: namesOnly, hosts: []string{"results.example"}, targets: []string{other4 + ":443", "results.example:443"}},
		"login":                       {route: proxytest.Refuse(407), text: "(HTTP 407): correct HTTPS_PROXY", targets: []string{public4 + ":443"}},
		"login, on the list":          {route: proxytest.Refuse(407), hosts: []string{"results.example"}, text: "(HTTP 407): correct HTTPS_PROXY", targets: []string{other4 + ":443"}},
		"refused, on the list":        {route: proxytest.Refuse(403), hosts: []string{"results.example"}, text: "let the proxy admit this host of FETCH_ALLOW_HOSTS", targets: []string{other4 + ":443", "results.example:443"}},
		"the second of the list":      {route: namesOnly, hosts: []string{"results.example", public4}, text: "connect to " + public4, targets: []string{other4 + ":443", "results.example:443", public4 + ":443"}},
		"a domain without a server":   {route: proxytest.Refuse(503), hosts: []string{"example"}, targets: []string{"example:443"}},
		"a private address, listed":   {route: open, hosts: []string{"10.0.0.1"}},
		"a private gateway":           {route: open, examples: []string{"https://gateway.example", "https://api.example"}, targets: []string{public4 + ":443"}},
		"private names":               {route: open, examples: []string{"https://gateway.example"}, text: "10.0.0.1 is not a public address, so it is not contacted: give this machine a DNS server"},
		"the first example is enough": {route: open, examples: []string{"https://api.example", "https://dark.example"}, targets: []string{public4 + ":443"}},
		"an excepted example":         {route: open, examples: []string{"https://dark.example", "https://api.example"}, noProxy: "dark.example", targets: []string{public4 + ":443"}},
		"all excepted":                {route: open, noProxy: "example", direct: true},
		"http":                        {route: open, examples: []string{"http://api.example:8090"}, direct: true},
		"http, in development":        {route: open, examples: []string{"http://gateway.example:8090"}, private: true, targets: []string{"10.0.0.1:8090"}},
		"http, without a port":        {route: open, examples: []string{"http://gateway.example"}, private: true, targets: []string{"10.0.0.1:80"}},
		"a loopback address":          {route: open, examples: []string{"http://127.0.0.1:8090"}, private: true, direct: true},
		"an example that is no URL":   {route: open, examples: []string{"http://%zz"}, text: "check the proxy"},
		"listed hosts that need none": {route: open, hosts: []string{"localhost", "results.example"}, noProxy: "results.example", direct: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			through := proxytest.New(t, proxytest.Options{Route: test.route})
			proxytest.SetEnvironment(t, map[string]string{"ALL_PROXY": through.URL.String(), "NO_PROXY": test.noProxy})
			fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowPrivate, o.AllowHosts = test.private, test.hosts })
			fetcher.SetLookup(names.lookup)
			if test.examples == nil {
				test.examples = []string{"https://api.example"}
			}
			used, err := fetcher.CheckProxy(t.Context(), test.examples...)
			through.AssertTargets(t, test.targets...)
			if test.text != "" {
				require.ErrorContains(t, err, strings.ReplaceAll(test.text, "PROXY o", proxy.Address(through.URL)+" o"))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.direct, used == "")
			if !test.direct {
				assert.Equal(t, proxy.Address(through.URL), used)
			}
		})
	}

	closed := httptest.NewServer(nil)
	closed.Close()
	proxytest.SetEnvironment(t, map[string]string{"HTTPS_PROXY": strings.Replace(closed.URL, "://", "://me:"+proxyPassword+"@", 1)})
	for _, hosts := range [][]string{nil, {"results.example"}} {
		fetcher := newFetcher(t, func(o *fetch.Options) { o.AllowPrivate, o.AllowHosts = false, hosts })
		fetcher.SetLookup(names.lookup)
		_, err := fetcher.CheckProxy(t.Context(), "https://api.example")
		require.ErrorContains(t, err, "can't be reached: dial tcp")
		require.ErrorContains(t, err, ": correct HTTPS_PROXY")
		assert.NotContains(t, err.Error(), proxyPassword)
	}
	proxytest.SetEnvironment(t, nil)
	used, err := newFetcher(t).CheckProxy(t.Context(), "https://api.example")
	require.NoError(t, err)
	assert.Empty(t, used)
}
