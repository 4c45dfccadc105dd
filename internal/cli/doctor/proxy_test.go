package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/cli/doctor"
	"lumaflow/test/proxytest"
)

func TestProxy(t *testing.T) {
	const password = "password-of-the-proxy"
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	defer server.Close()
	open := proxytest.New(t, proxytest.Options{Route: proxytest.To(server.Listener.Addr().String()), User: url.UserPassword("me", password)})
	refusing := proxytest.New(t, proxytest.Options{Route: proxytest.Refuse(http.StatusForbidden)})
	wrongUser := *open.URL
	wrongUser.User = url.UserPassword("me", "not-"+password)
	const public = "93.184.215.14"
	tests := map[string]struct {
		variable, value, kie string
		hosts                []string
		want                 doctor.Status
		text                 string
	}{
		"none":                    {"", "", "https://" + public, nil, doctor.OK, "results are downloaded directly"},
		"simulated":               {"HTTPS_PROXY", open.URL.String(), "http://127.0.0.1:8090", []string{"localhost"}, doctor.OK, "results are downloaded directly"},
		"open":                    {"HTTPS_PROXY", open.URL.String(), "https://" + public, nil, doctor.OK, "results can be downloaded through the proxy " + open.URL.Host},
		"lower case, listed":      {"all_proxy", open.URL.String(), "https://" + public, []string{public}, doctor.OK, "through the proxy " + open.URL.Host},
		"no connection":           {"HTTPS_PROXY", refusing.URL.String(), "https://" + public, nil, doctor.Fail, "(HTTP 403 Forbidden): set FETCH_ALLOW_HOSTS to the hosts of results"},
		"no connection to listed": {"HTTPS_PROXY", refusing.URL.String(), "https://" + public, []string{public}, doctor.Fail, "let the proxy admit this host of FETCH_ALLOW_HOSTS"},
		"login":                   {"HTTPS_PROXY", wrongUser.String(), "https://" + public, nil, doctor.Fail, "correct HTTPS_PROXY"},
		"malformed":               {"HTTPS_PROXY", "socks4://me:" + password + "@proxy.example", "https://" + public, nil, doctor.Fail, "HTTPS_PROXY has a scheme other than"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for _, variable := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy"} {
				t.Setenv(variable, "")
				require.NoError(t, os.Unsetenv(variable))
			}
			if test.variable != "" {
				t.Setenv(test.variable, test.value)
			}
			w.settings.Only = []string{"proxy"}
			w.settings.KieBaseURL, w.settings.FetchAllowHosts = test.kie, test.hosts
			findings, err := w.examine()
			assert.Equal(t, test.want == doctor.Fail, err != nil)
			assert.Equal(t, test.want, findings["proxy"].Status)
			assert.Contains(t, findings["proxy"].Message, test.text)
			assert.NotContains(t, findings["proxy"].Message, password)
		})
	}

	// The callback is probed through the proxy too.
	w := newWorld(t)
	hooks := proxytest.New(t, proxytest.Options{Route: proxytest.To(w.hooks.server.Listener.Addr().String())})
	t.Setenv("HTTP_PROXY", hooks.URL.String())
	w.settings.Only = []string{"callback"}
	w.settings.CallbackBaseURL = "http://hooks.example"
	findings, err := w.examine()
	require.NoError(t, err, findings["callback"].Message)
	assert.NotEmpty(t, hooks.Targets())
	t.Setenv("HTTP_PROXY", "socks4://me:"+password+"@proxy.example")
	findings, err = w.examine()
	require.Error(t, err)
	assert.Contains(t, findings["callback"].Message, "HTTP_PROXY has a scheme other than")
}
