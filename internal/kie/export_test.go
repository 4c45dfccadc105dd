package kie

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
)

// Watch observes a connection without net/http.
func Watch(conn net.Conn) (watched net.Conn, connected func(), seal func() (written bool)) {
	w := new(wire)
	watched = wireConn{conn, w}
	return watched, func() { w.connected(watched) }, w.seal
}

// DecodeRecord decodes without retries: random timers would make the coverage of
// a fuzz test unstable.
func DecodeRecord(c *Client, taskID string, response *http.Response) (Record, error) {
	return lumaFamily.decode(c, c.receive(opRecord, taskID, response))
}

// DecodeUploaded decodes the answer to an upload without a request.
func DecodeUploaded(c *Client, response *http.Response) (Uploaded, error) {
	return c.uploaded(c.receive(opUpload, "", response), 1)
}

// DecodeSubmitted decodes the answer to a submission without a request.
func DecodeSubmitted(c *Client, response *http.Response) (taskID string, err error) {
	return c.receive(opSubmit, "", response).submitted()
}

// SetRoots replaces the trusted certificates of a client that has its own transport.
func SetRoots(c *Client, roots *x509.CertPool) {
	c.transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
}
