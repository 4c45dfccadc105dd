package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Certificate is a self-signed certificate for servers of tests, with a pool that trusts
// it.
type Certificate struct {
	Server tls.Certificate
	Roots  *x509.CertPool
	// PEM is for SSL_CERT_FILE of a process, which Go reads on Linux.
	PEM []byte
}

// NewCertificate makes a certificate for names and addresses.
func NewCertificate(hosts ...string) Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if address := net.ParseIP(host); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	made := Certificate{
		Server: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		Roots:  x509.NewCertPool(),
		PEM:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
	made.Roots.AppendCertsFromPEM(made.PEM)
	return made
}

// Server runs an https server with a certificate.
func Server(t testing.TB, certificate Certificate, handler http.Handler) *httptest.Server {
	t.Helper()
	server := serveTLS(certificate, handler)
	t.Cleanup(server.Close)
	return server
}

func serveTLS(certificate Certificate, handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate.Server}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are parts of tests
	server.StartTLS()
	return server
}

// NewTLS runs an https proxy.
func NewTLS(t testing.TB, certificate Certificate, options Options) *Proxy {
	t.Helper()
	p := &Proxy{options: options}
	return p.start(t, serveTLS(certificate, http.HandlerFunc(p.serve)))
}
