package campaign

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// nextPort goes through the ports below those that systems give to outgoing
// connections: a process that was killed must find its port free again.
var nextPort atomic.Int32

const firstPort, portCount = 15000, 12000

// claimPort finds a free port on the loopback that no other world of this
// campaign uses.
func claimPort() (int, error) {
	for range 1000 {
		// Campaigns that run side by side begin at different ports.
		port := firstPort + (os.Getpid()*31+int(nextPort.Add(7)))%portCount
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
