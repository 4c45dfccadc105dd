package supervisor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// The ports are below those that systems give to outgoing connections: the port
// of a killed process must still be free when the process is restarted.
const firstPort, portCount = 15000, 12000

var portsTaken atomic.Int32

// FreePort finds a free port on 127.0.0.1. No two calls of this process return
// the same port until all were returned.
func FreePort() (int, error) {
	for range 1000 {
		// The process id keeps processes that run side by side apart.
		port := firstPort + (os.Getpid()*31+int(portsTaken.Add(7)))%portCount
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err == nil {
			return port, nil
		}
	}
	return 0, errors.New("no free port on 127.0.0.1")
}
