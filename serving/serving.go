// Package serving is how lumaflow's HTTP servers take their port, run and end.
package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Listen takes a TCP port. Its errors are one plain line that names the setting
// which the address came from.
func Listen(ctx context.Context, address, setting string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is taken by another program: stop that or set %s", address, setting)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s needs more rights than this user has: set %s to a port above 1023", address, setting)
	case err != nil:
		return nil, fmt.Errorf("listen on %s; check %s: %w", address, setting, err)
	}
	return listener, nil
}

// Run serves on listener, which it owns, until ctx ends. Then it takes no more
// requests, lets those under way finish for as long as drain, and returns nil.
// Its first log line, "<name> listening", carries the address, with the real
// port if :0 was asked for. The server's own complaints become warnings.
func Run(ctx context.Context, listener net.Listener, server *http.Server, name string, drain time.Duration, logger *slog.Logger) error {
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	logger.InfoContext(ctx, name+" listening", "address", listener.Addr().String())

	select {
	case err := <-stopped:
		return fmt.Errorf("%s: serve on %s: %w", name, listener.Addr(), err)
	case <-ctx.Done():
	}
	logger.Info(name + " draining")
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := server.Shutdown(patience)
	if err != nil {
		// Whoever is cut off here was not answered and sends again.
		logger.Warn(name+" stops with requests under way", "error", err)
		err = server.Close()
	}
	if served := <-stopped; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("%s: stop serving: %w", name, err)
	}
	logger.Info(name + " stopped")
	return nil
}
