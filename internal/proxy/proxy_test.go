package proxy_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/proxy"
	"lumaflow/test/proxytest"
)

const password = "correct-horse"

func TestFromEnvironment(t *testing.T) {
	const secure, plain = "https://cdn.example/a", "http://cdn.example/a"
	type env = map[string]string
	tests := map[string]struct {
		env          env
		target, want string
	}{
		"none":                        {nil, secure, ""},
		"https":                       {env{"HTTPS_PROXY": "http://p.example:3128"}, secure, "p.example:3128"},
		"https, not for http":         {env{"HTTPS_PROXY": "http://p.example:3128"}, plain, ""},
		"http":                        {env{"HTTP_PROXY": "http://p.example:3128"}, plain, "p.example:3128"},
		"http, not for https":         {env{"HTTP_PROXY": "http://p.example:3128"}, secure, ""},
		"http, in the form of CGI":    {env{"HTTP_PROXY": "http://p.example:3128", "REQUEST_METHOD": "GET"}, plain, "p.example:3128"},
		"upper case wins":             {env{"HTTPS_PROXY": "http://p.example:1", "https_proxy": "http://q.example:2"}, secure, "p.example:1"},
		"upper case wins, exceptions": {env{"HTTPS_PROXY": "p.example", "NO_PROXY": "cdn.example", "no_proxy": "q.example"}, secure, ""},
		"all":                         {env{"ALL_PROXY": "socks5://p.example"}, secure, "p.example:1080"},
		"all, for http":               {env{"all_proxy": "socks5h://p.example"}, plain, "p.example:1080"},
		"all, below the others":       {env{"all_proxy": "socks5://p.example", "HTTPS_PROXY": "q.example:2"}, secure, "q.example:2"},
		"without a scheme":            {env{"HTTPS_PROXY": "10.0.0.1:3128/"}, secure, "10.0.0.1:3128"},
		"a name alone":                {env{"HTTPS_PROXY": "proxy"}, secure, "proxy:80"},
		"encrypted":                   {env{"HTTPS_PROXY": "https://p.example"}, secure, "p.example:443"},
		"IPv6":                        {env{"HTTPS_PROXY": "http://[fd00::1]"}, secure, "[fd00::1]:80"},
		"with a password":             {env{"HTTPS_PROXY": "http://me:" + password + "%40%2F@p.example:3128"}, secure, "p.example:3128"},
		"excepted host":               {env{"HTTPS_PROXY": "p.example", "NO_PROXY": "a.example, cdn.example"}, secure, ""},
		"excepted domain":             {env{"HTTPS_PROXY": "p.example", "no_proxy": ".example"}, secure, ""},
		"another host":                {env{"HTTPS_PROXY": "p.example", "NO_PROXY": "dn.example,cdn.example:444"}, secure, "p.example:80"},
		"excepted network":            {env{"HTTPS_PROXY": "p.example", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3/", ""},
		"everything excepted":         {env{"HTTPS_PROXY": "p.example", "NO_PROXY": "a.example,*"}, secure, ""},
		"loopback":                    {env{"ALL_PROXY": "p.example"}, "http://127.0.0.1:8090/", ""},
		"a malformed one is not used": {env{"ALL_PROXY": "socks://p.example", "HTTPS_PROXY": "p.example", "HTTP_PROXY": "p.example"}, secure, "p.example:80"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			proxytest.SetEnvironment(t, test.env)
			settings, err := proxy.FromEnvironment()
			require.NoError(t, err)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, test.target, nil)
			require.NoError(t, err)
			through, err := settings.ForRequest(request)
			require.NoError(t, err)
			if test.want == "" {
				assert.Nil(t, through)
				return
			}
			require.NotNil(t, through)
			assert.Equal(t, test.want, proxy.Address(through))
		})
	}
	proxytest.SetEnvironment(t, env{"HTTPS_PROXY": "http://me:" + password + "%40%2F@p.example:3128"})
	settings, err := proxy.FromEnvironment()
	require.NoError(t, err)
	got, _ := settings.For(&url.URL{Scheme: "https", Host: "cdn.example"}).User.Password()
	assert.Equal(t, password+"@/", got)
}

func TestMalformedProxy(t *testing.T) {
	for name, value := range map[string]string{
		"no host":                   "http://",
		"user without a host":       "http://me:" + password + "@",
		"port":                      "http://p.example:31280000",
		"port zero":                 "http://p.example:0",
		"port in words":             "http://p.example:squid",
		"blank":                     "http://p.example :3128",
		"blank before":              " http://p.example:3128",
		"line end":                  "http://p.example:3128\n",
		"path":                      "http://p.example:3128/proxy.pac",
		"query":                     "http://p.example:3128?a",
		"slash in the password":     "http://me:1/" + password + "@p.example:3128",
		"number sign in the second": "http://me:12#" + password + "@p.example:3128",
		"percent sign":              "http://me:%zz" + password + "@p.example:3128",
		"scheme of a desktop":       "socks://p.example:1080",
		"SOCKS4":                    "socks4://me:" + password + "@p.example:1080",
		"file":                      "file://p.example/" + password,
	} {
		for _, variable := range []string{"HTTPS_PROXY", "http_proxy", "ALL_PROXY"} {
			t.Run(variable+", "+name, func(t *testing.T) {
				proxytest.SetEnvironment(t, map[string]string{variable: value})
				_, err := proxy.FromEnvironment()
				require.ErrorContains(t, err, variable+" ")
				assert.NotContains(t, err.Error(), password)
				assert.NotContains(t, err.Error(), "\n")
			})
		}
	}
}
