package command

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// Listen listens on a TCP address. Its errors are one line and name the variable
// that sets the address; for a malformed address they are usage errors.
func Listen(ctx context.Context, variable, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.DefaultResolver.LookupPort(ctx, "tcp", port)
	}
	if err != nil {
		return nil, Usagef("%s is %q: give host:port, like :8080", variable, address)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program: stop that or set %s", address, variable)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s needs more rights than this user has: set %s to a port above 1023", address, variable)
	case err != nil:
		return nil, fmt.Errorf("listen on %s; check %s: %w", address, variable, err)
	}
	return listener, nil
}
