// Package serving runs and drains lumaflow's HTTP servers.
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

// Run serves on listener, which it owns, until ctx ends. It then accepts no
// further request, waits up to drain for those in flight, and returns nil. A
// request that outlasts drain is cut off without an answer.
func Run(ctx context.Context, listener net.Listener, server *http.Server, name string, drain time.Duration, logger *slog.Logger) error {
	return Start(ctx, listener, server, name, drain, logger)()
}

// Start is the first half of Run: it serves in the background. The caller must
// call wait, the second half, which blocks until ctx ends and the server has
// drained. Start logs "<name> listening" with the address, in which the real port
// stands for :0, and the server's own errors as warnings.
func Start(ctx context.Context, listener net.Listener, server *http.Server, name string, drain time.Duration, logger *slog.Logger) (wait func() error) {
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	logger.InfoContext(ctx, name+" listening", "address", listener.Addr().String())
	return func() error {
		select {
		case err := <-served:
			return fmt.Errorf("%s: serve on %s: %w", name, listener.Addr(), err)
		case <-ctx.Done():
		}
		logger.InfoContext(ctx, name+" draining")
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		err := server.Shutdown(draining)
		if err != nil {
			logger.WarnContext(ctx, name+" stops with requests in flight", "error", err)
			err = server.Close()
		}
		if end := <-served; !errors.Is(end, http.ErrServerClosed) {
			err = errors.Join(err, end)
		}
		if err != nil {
			return fmt.Errorf("%s: stop serving: %w", name, err)
		}
		logger.InfoContext(ctx, name+" stopped")
		return nil
	}
}
