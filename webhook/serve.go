package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTime = 5 * time.Second
	// readTime is for header and body together.
	readTime = 8 * time.Second
	// writeTime begins with the end of the header and so holds the body, the
	// signal and the answer.
	writeTime = readTime + answerTime + 2*time.Second
	idleTime  = 2 * time.Minute
	// drainTime is enough for a callback that came in last.
	drainTime = writeTime
	// maxHeaderBytes holds the longest path: an id of 1000 bytes, each escaped.
	maxHeaderBytes = 32 << 10
)

// Serve serves handler on listener, with every timeout set, until ctx ends.
// Then it takes no more requests, lets those under way finish, and returns nil.
// It owns the listener. Its first log line, "webhook listening", carries the
// address, with the real port if :0 was asked for.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		// "OPTIONS *" is a path like any other that is not served.
		DisableGeneralOptionsHandler: true,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	logger.InfoContext(ctx, "webhook listening", "address", listener.Addr().String())

	select {
	case err := <-stopped:
		return fmt.Errorf("serve callbacks on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	logger.Info("webhook draining")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		// Whoever is cut off here was not answered and sends again.
		logger.Warn("webhook stops with callbacks under way", "error", err)
		err = server.Close()
	}
	if served := <-stopped; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("stop serving callbacks: %w", err)
	}
	logger.Info("webhook stopped")
	return nil
}
