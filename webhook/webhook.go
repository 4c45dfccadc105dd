// Package webhook receives kie.ai's callbacks over HTTP and signals them to
// their jobs. If the job is over, another job collects the task.
//
// A callback is answered 200 only after Temporal has stored its signal, or the
// collecting job: after any earlier failure kie.ai repeats the callback. Duplicates and excess callbacks are
// not signalled. The webhook keeps no durable state: any number can run side by
// side, and each can be killed at any time.
package webhook

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/callback"
	"lumaflow/internal/kie"
)

// maxInFlight bounds the authentic callbacks that are read to their end and not yet
// answered, and thereby the open calls to Temporal; further ones are answered 503.
const maxInFlight = 256

// Options configures the handler. Signaler, Collector, Namespace and Secrets are
// required.
type Options struct {
	// Signaler gets the authentic callbacks that are no duplicates.
	Signaler Signaler
	// Collector gets the tasks of authentic callbacks whose job is over.
	Collector Collector
	// Namespace is the Temporal namespace that callback tokens are bound to.
	Namespace string
	// Secrets verify callback tokens.
	Secrets callback.Secrets
	// Verifier checks kie.ai's signatures; the zero value requires none.
	Verifier kie.Verifier
	// Now is the clock that Verifier compares timestamps with; nil means time.Now.
	Now func() time.Time
	// Logger gets one line per callback, without token and path; nil logs
	// nothing.
	Logger *slog.Logger
	// Metrics counts callbacks by verdict; nil counts nothing.
	Metrics client.MetricsHandler
}

type handler struct {
	options Options
	limiter *limiter
	slots   chan struct{}
	// large are the permits for large bodies, decoding those for the decoding of any.
	large    *permits
	decoding chan struct{}
}

// New returns the webhook's HTTP handler. It serves callbacks and /healthz and
// answers every other request with 404 or 405, never with a redirect.
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
		options:  options,
		limiter:  newLimiter(),
		slots:    make(chan struct{}, maxInFlight),
		large:    newPermits(maxLarge, maxLargePerJob),
		decoding: make(chan struct{}, maxDecoding),
	}
	// Routes match the path as sent, since a job id may contain slashes and dots.
	// A cleaned path would be answered with a redirect, which loses the callback.
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	router.NotFoundHandler = http.HandlerFunc(h.notFound)
	router.Handle(callback.Route, allow(h.receive, http.MethodPost))
	router.Handle("/healthz", allow(healthy, http.MethodGet, http.MethodHead))
	return router
}

// allow answers every other method with 405.
func allow(next http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			next(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		respond(w, http.StatusMethodNotAllowed, "method not allowed")
	})
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	respond(w, http.StatusOK, "ok")
}

func (h *handler) notFound(w http.ResponseWriter, r *http.Request) {
	// The path is not logged: that of a misrouted callback contains the token.
	h.options.Logger.DebugContext(r.Context(), "request for a path that does not exist")
	respond(w, http.StatusNotFound, "not found")
}
