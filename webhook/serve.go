package webhook

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"lumaflow/internal/command/serving"
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
	return serving.Run(ctx, listener, &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		// "OPTIONS *" is a path like any other that is not served.
		DisableGeneralOptionsHandler: true,
	}, "webhook", drainTime, logger)
}
