package proxytest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// SetEnvironment sets these variables until the end of the test and unsets all others
// that net/http and package proxy read.
func SetEnvironment(t *testing.T, variables map[string]string) {
	t.Helper()
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy", "no_proxy", "REQUEST_METHOD"} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}
	for name, value := range variables {
		t.Setenv(name, value)
	}
}
