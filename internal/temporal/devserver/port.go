package devserver

import (
	"fmt"
	"net"
	"strconv"
)

const (
	loopback = "127.0.0.1"

	// usualUIPort is where Temporal's own dev server shows its UI.
	usualUIPort = 8233
)

// freePort returns the wished port if it is free, else any free one. Another
// process can still take it before the server does; the server then says so.
func freePort(wished int) (int, error) {
	for _, port := range []int{wished, 0} {
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
