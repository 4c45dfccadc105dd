package health_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"lumaflow/internal/command"
	"lumaflow/internal/command/health"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			w.WriteHeader(http.StatusOK)
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/moved":
			http.Redirect(w, r, "/healthz", http.StatusFound)
		case "/readyz":
			http.Error(w, "Temporal can't be\nreached \x1b[31m", http.StatusServiceUnavailable)
		case "/flood":
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(strings.Repeat("x", 1<<20)))
		case "/silent":
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)

	for _, test := range []struct {
		name, url string
		timeout   time.Duration
		code      int
		says      string
	}{
		{name: "healthy", url: server.URL + "/healthz"},
		{name: "healthy without content", url: server.URL + "/empty"},
		{name: "not ready, with a reason", url: server.URL + "/readyz", code: command.ExitFailed,
			says: server.URL + "/readyz answered 503 Service Unavailable: Temporal can't be reached [31m"},
		{name: "redirect", url: server.URL + "/moved", code: command.ExitFailed, says: "answered 302 Found"},
		{name: "another service", url: server.URL + "/other", code: command.ExitFailed, says: "answered 404 Not Found"},
		{name: "the password is redacted", url: strings.Replace(server.URL, "//", "//user:hush@", 1) + "/other",
			code: command.ExitFailed, says: "user:xxxxx@"},
		{name: "timeout", url: server.URL + "/silent", timeout: 20 * time.Millisecond, code: command.ExitFailed,
			says: "gave no answer within 20ms"},
		{name: "connection refused", url: "http://127.0.0.1:1/healthz", code: command.ExitFailed, says: "connection refused"},
		{name: "not an address", url: "localhost:8080/healthz", code: command.ExitUsage, says: "must be an http or https URL"},
		{name: "no host", url: "http:///healthz", code: command.ExitUsage, says: "must be an http or https URL"},
		{name: "negative timeout", url: server.URL + "/healthz", timeout: -time.Second, code: command.ExitUsage, says: "--timeout is -1s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := health.Command{URL: test.url, Timeout: test.timeout}
			if check.Timeout == 0 {
				check.Timeout = 30 * time.Second
			}
			err := check.Run(t.Context())
			require.Equal(t, test.code, command.ExitCode(err), "%v", err)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				assert.NotContains(t, err.Error(), "hush")
				assert.NotContains(t, err.Error(), "\n")
			}
		})
	}

	t.Run("a long reason is cut", func(t *testing.T) {
		t.Parallel()
		err := (&health.Command{URL: server.URL + "/flood", Timeout: 30 * time.Second}).Run(t.Context())
		require.ErrorContains(t, err, "answered 500")
		assert.Less(t, len(err.Error()), 1024)
	})

	t.Run("Ctrl-C", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := (&health.Command{URL: server.URL + "/silent", Timeout: 30 * time.Second}).Run(ctx)
		assert.ErrorIs(t, err, context.Canceled)
	})
}
