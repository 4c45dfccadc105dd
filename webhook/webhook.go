// Package webhook receives kie.ai's callbacks over HTTP and passes them on to
// the jobs they belong to, as signals.
//
// It answers 200 only after Temporal has stored the signal, so that whatever
// goes wrong before makes kie.ai send the callback again, and it keeps what
// comes in too often away from Temporal. It holds no state that matters: any
// number of webhooks can run side by side, and one may be killed at any moment.
package webhook

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
)

// maxInFlight is how many authentic callbacks are worked on at once; the rest
// are asked to come again. It bounds the memory that bodies take (1 MiB each)
// and the calls that wait for Temporal.
const maxInFlight = 256

// Options are what the webhook works with. Signaler, Namespace and Secrets are
// required.
type Options struct {
	// Signaler takes the callbacks that are authentic and no repetition.
	Signaler Signaler
	// Namespace is the Temporal namespace that callback tokens are bound to.
	Namespace string
	// Secrets recognise callback tokens.
	Secrets callback.Secrets
	// Verifier checks kie.ai's own signatures; the zero value requires none.
	Verifier kie.Verifier
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger gets one line per callback, without token and path; nil discards
	// them.
	Logger *slog.Logger
	// Metrics counts callbacks by verdict; nil counts nothing.
	Metrics client.MetricsHandler
}

type handler struct {
	Options
	gate  *gate
	slots chan struct{}
}

// New returns the webhook's HTTP handler. It serves callbacks and /healthz;
// everything else is 404 or 405 and never a redirect.
func New(options Options) http.Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Metrics == nil {
		options.Metrics = client.MetricsNopHandler
	}
	h := &handler{
		Options: options,
		gate:    newGate(options.Now),
		slots:   make(chan struct{}, maxInFlight),
	}
	// Routed by the path as it was sent: an id may hold slashes and dots of its
	// own, and cleaning a path means to redirect, which loses the callback.
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	router.NotFoundHandler = http.HandlerFunc(h.notFound)
	router.Handle(callback.Route, allow(h.receive, http.MethodPost))
	router.Handle("/healthz", allow(healthy, http.MethodGet, http.MethodHead))
	return router
}

// allow keeps every other method away from a handler.
func allow(next http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range methods {
			if r.Method == method {
				next(w, r)
				return
			}
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		respond(w, http.StatusMethodNotAllowed, "method not allowed")
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, "ok")
}

func (h *handler) notFound(w http.ResponseWriter, r *http.Request) {
	// The path stays out of the log: a callback that only just missed its route
	// has the token in it.
	h.Logger.DebugContext(r.Context(), "request for a path that does not exist")
	respond(w, http.StatusNotFound, "not found")
}
