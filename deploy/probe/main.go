// Command probe connects to the TCP addresses of its arguments and prints those that
// accept. TestCompose runs it in the network of each container.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// timeout is generous for a connection on one machine: a dropped packet is no answer.
const timeout = 2 * time.Second

func main() {
	var connecting sync.WaitGroup
	dialer := net.Dialer{Timeout: timeout}
	for _, address := range os.Args[1:] {
		connecting.Go(func() {
			if connection, err := dialer.DialContext(context.Background(), "tcp", address); err == nil {
				_ = connection.Close()
				fmt.Println(address)
			}
		})
	}
	connecting.Wait()
}
