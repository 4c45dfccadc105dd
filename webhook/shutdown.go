package webhook

import (
	"context"
	"net/http"
	"time"
)

// shutdownDelay is the time in which a stopping webhook is not ready and still
// accepts callbacks. Load balancers check readiness every second or two, and
// until then they send callbacks here.
const shutdownDelay = 5 * time.Second

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
