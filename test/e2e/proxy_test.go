package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/kie/kietest"
	"lumaflow/test/proxytest"
)

// kie.ai and its results are behind a proxy: the upload, the submission, the record and
// the download take it. A worker that could not download the results does not start.
func TestProxy(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("SSL_CERT_FILE is read on Linux")
	}
	const address, name, password = "93.184.215.14", "api.kie.test", "password-of-the-proxy"
	certificate := proxytest.NewCertificate(address, name)
	trusted := filepath.Join(t.TempDir(), "trusted.pem")
	require.NoError(t, os.WriteFile(trusted, certificate.PEM, 0o600))
	for _, test := range []struct {
		host   string
		refuse string // prefix of refused targets
		hosts  string // FETCH_ALLOW_HOSTS
	}{
		{host: address},
		{host: name, refuse: "93.", hosts: "kie.test"},
	} {
		t.Run(test.host, func(t *testing.T) {
			t.Parallel()
			simulated, err := kietest.New(kietest.Options{APIKey: apiKey, Render: 100 * time.Millisecond})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, simulated.Close()) })
			server := proxytest.Server(t, certificate, simulated)
			through := proxytest.New(t, proxytest.Options{
				User: url.UserPassword("me", password),
				Route: func(target string) (string, int) {
					if test.refuse != "" && strings.HasPrefix(target, test.refuse) {
						return "", http.StatusForbidden
					}
					return server.Listener.Addr().String(), 0
				},
			})
			base := "https://" + test.host
			w := enter(t, setup{noCallbacks: true, noWorker: true, env: []string{
				"KIE_BASE_URL=" + base, "KIE_UPLOAD_BASE_URL=" + base, "FETCH_ALLOW_PRIVATE=false", "POLL_AFTER=0s",
				"HTTPS_PROXY=" + through.URL.String(), "NO_PROXY=", "SSL_CERT_FILE=" + trusted,
			}})
			if test.hosts != "" {
				got := w.run("worker")
				require.Equal(t, 1, got.code, got.err)
				require.Contains(t, got.err, "this machine can't resolve "+name+": set FETCH_ALLOW_HOSTS to the hosts of results")
				malformed := append(slices.Clone(w.env), "HTTPS_PROXY=socks4://me:"+password+"@proxy.example")
				got = execute(t, malformed, binary, "worker")
				require.Equal(t, 2, got.code, got.err)
				require.Contains(t, got.err, "HTTPS_PROXY has a scheme other than")
				require.NotContains(t, got.err, password)
				w.env = append(w.env, "FETCH_ALLOW_HOSTS="+test.hosts)
			}
			w.startWorker()
			report, got := w.submitFile("behind a proxy", stockClip)
			require.Zero(t, got.code, got.err)
			require.Equal(t, "completed", report.State)
			require.Equal(t, 1, simulated.Ledger().Charges)
			targets := through.Targets()
			require.Contains(t, targets, test.host+":443")
			for _, target := range targets {
				// The check at the start connects to the host of FETCH_ALLOW_HOSTS.
				require.Contains(t, []string{test.host + ":443", test.hosts + ":443"}, target)
			}
			require.NotContains(t, w.worker.output(), password)
		})
	}
}
