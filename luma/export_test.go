package luma

import "net"

// Watch lets the tests drive the watch over a connection without net/http.
func Watch(conn net.Conn) (watched net.Conn, connected func(), seal func() (written bool)) {
	w := new(wire)
	watched = wireConn{conn, w}
	return watched, func() { w.connected(watched) }, w.seal
}
