package proxy_test

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"lumaflow/test/proxytest"
)

// certificate is that of the https proxy. On Linux this process trusts it.
var certificate = proxytest.NewCertificate("127.0.0.1")

func TestMain(m *testing.M) {
	trust()
	goleak.VerifyTestMain(m)
}

// trust loads the certificates of SSL_CERT_FILE, which Go does once in a process.
func trust() {
	folder, err := os.MkdirTemp("", "proxy")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "trusted.pem")
	if err := os.WriteFile(file, certificate.PEM, 0o600); err != nil {
		panic(err)
	}
	if err := os.Setenv("SSL_CERT_FILE", file); err != nil {
		panic(err)
	}
	// Other systems have certificates of their own.
	_, _ = x509.SystemCertPool()
}
