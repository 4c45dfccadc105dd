package devserver

import (
	"fmt"
	"net"
	"strconv"
)

const (
	loopback = "127.0.0.1"

	// defaultUIPort is the UI port of Temporal's dev server.
	defaultUIPort = 8233
)

// freePort returns the preferred port if it is free, else another free one. Another
// process may take it before the server does; then the start fails.
func freePort(preferred int) (int, error) {
	for _, port := range []int{preferred, 0} {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		free := listener.Addr().(*net.TCPAddr).Port
		if err := listener.Close(); err == nil {
			return free, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s", loopback)
}
