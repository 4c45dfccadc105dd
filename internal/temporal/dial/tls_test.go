package dial_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"lumaflow/internal/temporal/dial"
)

// authority issues the certificates of a test, as files and as values.
type authority struct {
	t           *testing.T
	folder      string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, folder: t.TempDir()}
	a.certificate, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.folder, name+".pem") }

// issue writes NAME.pem and NAME-key.pem.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	for file, block := range map[string]*pem.Block{name: {Type: "CERTIFICATE", Bytes: der}, name + "-key": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(a.t, os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600))
	}
	issued, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return issued, key
}

// A server of the kind of Temporal Cloud: TLS always, and a client certificate or an
// API key.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	ca.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	ca.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	own, err := tls.LoadX509KeyPair(ca.file("server"), ca.file("server-key"))
	require.NoError(t, err)
	trusted := x509.NewCertPool()
	trusted.AddCert(ca.certificate)
	start := func(clients tls.ClientAuthType) (*frontend, env) {
		server := &frontend{namespaces: []string{"studio.a1b2c"}, keys: make(chan string, 10)}
		address := serve(t, "127.0.0.1:0", server, grpc.Creds(credentials.NewTLS(&tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientAuth: clients, ClientCAs: trusted,
		})))
		return server, env{"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "studio.a1b2c", "TEMPORAL_TLS_SERVER_CA_CERT_PATH": ca.file("ca")}
	}
	connect := func(e env, more env) error {
		e = maps.Clone(e)
		maps.Copy(e, more)
		c, err := dial.Temporal(t.Context(), dial.Options{Env: e})
		if err == nil {
			c.Close()
		}
		return err
	}
	t.Run("a client certificate", func(t *testing.T) {
		_, e := start(tls.RequireAndVerifyClientCert)
		require.NoError(t, connect(e, env{"TEMPORAL_TLS_CLIENT_CERT_PATH": ca.file("client"), "TEMPORAL_TLS_CLIENT_KEY_PATH": ca.file("client-key")}))
		require.ErrorContains(t, connect(e, nil), "no Temporal server answers")
	})
	t.Run("an API key", func(t *testing.T) {
		server, e := start(tls.NoClientCert)
		require.NoError(t, connect(e, env{"TEMPORAL_API_KEY": apiKey}))
		require.Equal(t, "Bearer "+apiKey, <-server.keys)
		delete(e, "TEMPORAL_TLS_SERVER_CA_CERT_PATH")
		require.ErrorContains(t, connect(e, env{"TEMPORAL_API_KEY": apiKey}), "certificate", "an unknown authority")
	})
}
