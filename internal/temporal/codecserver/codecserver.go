// Package codecserver serves Temporal's remote codec protocol, with which Temporal's
// UI and CLI show encrypted payloads.
package codecserver

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/rs/cors"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/temporal/codec"
)

const (
	// maxBody, in bytes, is above Temporal's limit of 4 MiB for one message, in the
	// base64 of the protocol.
	maxBody = 8 << 20
	// preflightAge is the lifetime of a preflight response, in seconds.
	preflightAge = 600
)

// allowedHeaders are the headers that the UI adds: the namespace and, over https
// with "Pass the user access token", the user's access token and id token.
var allowedHeaders = []string{"Content-Type", "X-Namespace", "Authorization", "Authorization-Extras"}

// Options are the settings of the codec server.
type Options struct {
	Codec codec.Codec
	// Origins are the allowed origins of browser requests: the UI's, like
	// https://temporal.example.org. Requests of other origins are rejected.
	Origins []string
	// Token is required in every request, as a bearer token or as the password of
	// basic authentication with any user name (the sign-in of a browser). Empty
	// means no authentication.
	Token string
	// Logger receives rejected requests; nil discards them.
	Logger *slog.Logger
}

type handler struct {
	options Options
	codec   http.Handler
}

// New returns the handler of POST /encode and /decode, below any path, of GET /,
// the sign-in page, and of GET /healthz.
func New(options Options) http.Handler {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{options: options, codec: converter.NewPayloadCodecHTTPHandler(options.Codec)}
	crossOrigin := cors.New(cors.Options{
		AllowOriginFunc:     h.allowed,
		AllowedMethods:      []string{http.MethodPost},
		AllowedHeaders:      allowedHeaders,
		AllowCredentials:    true,
		AllowPrivateNetwork: true,
		MaxAge:              preflightAge,
	})
	return h.checkOrigin(crossOrigin.Handler(http.HandlerFunc(h.route)))
}

func (h *handler) allowed(origin string) bool { return slices.Contains(h.options.Origins, origin) }

// checkOrigin rejects browser requests of other origins. CORS alone would process
// them and only withhold the response.
func (h *handler) checkOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && !h.allowed(origin) {
			h.reject(w, r, http.StatusForbidden, "this origin is not in CODEC_ORIGIN")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *handler) route(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch path := r.URL.Path; {
	case path == "/healthz":
		writePage(w, r, "ok\n")
	case !h.authorized(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="lumaflow codec-server: any user name, CODEC_TOKEN as the password", charset="UTF-8"`)
		h.reject(w, r, http.StatusUnauthorized, "the token is missing or wrong: send CODEC_TOKEN as a bearer token")
	case path == "/":
		writePage(w, r, "This browser may decrypt now. In the Temporal UI, set this address as the codec server and include cross-origin credentials.\n")
	case strings.HasSuffix(path, "/encode"), strings.HasSuffix(path, "/decode"):
		h.serveCodec(w, r)
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// authorized compares the tokens in constant time, independent of their lengths.
func (h *handler) authorized(r *http.Request) bool {
	if h.options.Token == "" {
		return true
	}
	_, given, basic := r.BasicAuth()
	if !basic {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		given = strings.TrimSpace(token)
	}
	want, got := sha256.Sum256([]byte(h.options.Token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func (h *handler) serveCodec(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		notAllowed(w, http.MethodPost)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		h.reject(w, r, http.StatusRequestEntityTooLarge, "too large")
		return
	case err != nil:
		http.Error(w, "incomplete body", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.codec.ServeHTTP(w, r)
}

func writePage(w http.ResponseWriter, r *http.Request, text string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, http.MethodGet, http.MethodHead)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// A write error means that the client has closed the connection.
	_, _ = io.WriteString(w, text)
}

func notAllowed(w http.ResponseWriter, methods ...string) {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}

func (h *handler) reject(w http.ResponseWriter, r *http.Request, status int, reason string) {
	h.options.Logger.WarnContext(r.Context(), "request refused", "status", status, "reason", reason,
		"from", r.RemoteAddr, "origin", r.Header.Get("Origin"))
	http.Error(w, reason, status)
}
