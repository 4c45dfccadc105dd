// Package serving is how lumaflow's HTTP servers run and end.
package serving

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

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
