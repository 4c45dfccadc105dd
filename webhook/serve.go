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
	// writeTime runs from the end of the header and covers body, signal and
	// answer.
	writeTime = readTime + answerTime + 2*time.Second
	idleTime  = 30 * time.Second
	// drainTime covers a callback that arrived just before the drain.
	drainTime = writeTime
	// maxHeaderBytes fits the longest path, a job id of 1000 escaped bytes.
	maxHeaderBytes = 32 << 10
	// shutdownDelay is the time in which a stopping webhook is not ready and still
	// accepts callbacks. Load balancers check readiness every second or two, and
	// until then they send callbacks here.
	shutdownDelay = 5 * time.Second
)

// Serve serves handler on listener, which it owns, with every timeout set and at
// most maxConnections connections, until
// ctx ends. It then drains and returns nil, as serving.Run describes. It logs
// "webhook listening" with the address, in which the real port stands for :0.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	bounded := newConnections(listener, maxConnections)
	return serving.Run(ctx, bounded, &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnState:         bounded.changed,
		ConnContext:       withConnection,
		// The router answers "OPTIONS *", with 404 like every unknown path.
		DisableGeneralOptionsHandler: true,
	}, "webhook", drainTime, logger)
}

// delayShutdown returns a context that ends shutdownDelay after ctx, and a
// handler for the time until then: once ctx has ended, each answer closes its
// connection, so that the drain closes none with a callback on its way.
func delayShutdown(ctx context.Context, handler http.Handler) (context.Context, http.Handler) {
	delayed, end := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		time.AfterFunc(shutdownDelay, func() { end(context.Cause(ctx)) })
	})
	return delayed, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}
