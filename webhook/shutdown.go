package webhook

import (
	"context"
	"net/http"
	"time"
)

// lingerTime is how long a webhook that is to stop goes on taking callbacks,
// while it says that it is not ready: a load balancer looks every second or two,
// and what it sends until then would find a closed door.
const lingerTime = 5 * time.Second

// linger returns a context that ends lingerTime after ctx, and the handler to
// serve with until then: once ctx is over, each answer is the last of its
// connection, so that none is closed under a callback that is on its way.
func linger(ctx context.Context, handler http.Handler) (context.Context, http.Handler) {
	late, end := context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		time.AfterFunc(lingerTime, func() { end(context.Cause(ctx)) })
	})
	return late, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}
