package kie

import (
	"net"
	"net/http"
)

// Watch lets the tests drive the watch over a connection without net/http.
func Watch(conn net.Conn) (watched net.Conn, connected func(), seal func() (written bool)) {
	w := new(wire)
	watched = wireConn{conn, w}
	return watched, func() { w.connected(watched) }, w.seal
}

// DecodeRecord lets the fuzz test decode without retries and timers, whose
// chance spoils its coverage.
func DecodeRecord(c *Client, taskID string, response *http.Response) (Record, error) {
	return c.decodeRecord(c.receive(opRecord, taskID, response))
}

// DecodeUploaded does the same with the answer to an upload.
func DecodeUploaded(c *Client, response *http.Response) (Uploaded, error) {
	return c.uploaded(c.receive(opUpload, "", response), 1)
}
