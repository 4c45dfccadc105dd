// Package codecserver decrypts for people: it speaks Temporal's remote codec
// protocol, so that Temporal's UI and CLI show what the codec has encrypted.
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
	// maxBody holds the largest message that Temporal takes, 4 MiB, in the base64
	// of the protocol.
	maxBody = 8 << 20
	// preflightAge is for how many seconds a browser need not ask again.
	preflightAge = 600
)

// headers are what the UI sends besides what every browser may send: the name of
// the namespace and, over https if it is told to pass the user's token on, the
// access token and the id token of who is signed in.
var headers = []string{"Content-Type", "X-Namespace", "Authorization", "Authorization-Extras"}

// Options are what the codec server works with.
type Options struct {
	Codec codec.Codec
	// Origins are the web pages that may ask, such as https://temporal.example.org:
	// the UI's. Requests of browsers for any other page are refused.
	Origins []string
	// Token has to come along with every request: as a bearer token, or as the
	// password of basic authentication with any user name, which is how a browser
	// signs in. Empty means that nobody is asked.
	Token string
	// Logger gets what was refused; nil discards it.
	Logger *slog.Logger
}

type handler struct {
	Options
	codec http.Handler
}

// New returns the codec server's HTTP handler. It serves POST /encode and
// /decode, whatever is in front of these paths, and GET /healthz.
func New(options Options) http.Handler {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{Options: options, codec: converter.NewPayloadCodecHTTPHandler(options.Codec)}
	crossOrigin := cors.New(cors.Options{
		AllowOriginFunc:     h.invited,
		AllowedMethods:      []string{http.MethodPost},
		AllowedHeaders:      headers,
		AllowCredentials:    true,
		AllowPrivateNetwork: true,
		MaxAge:              preflightAge,
	})
	return h.fromInvited(crossOrigin.Handler(http.HandlerFunc(h.route)))
}

func (h *handler) invited(origin string) bool { return slices.Contains(h.Origins, origin) }

// fromInvited refuses the requests that a browser sends for other pages. CORS
// alone would only keep the answer from them.
func (h *handler) fromInvited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if origin := r.Header.Get("Origin"); origin != "" && !h.invited(origin) {
			h.refuse(w, r, http.StatusForbidden, "this origin is not in CODEC_ORIGIN")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *handler) route(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch path := r.URL.Path; {
	case path == "/healthz":
		h.page(w, r, "ok\n")
	case !h.authorized(r):
		w.Header().Set("WWW-Authenticate", `Basic realm="lumaflow codec-server: any user name, CODEC_TOKEN as the password", charset="UTF-8"`)
		h.refuse(w, r, http.StatusUnauthorized, "the token is missing or wrong: send CODEC_TOKEN as a bearer token")
	case path == "/":
		h.page(w, r, "This browser may decrypt now. In the Temporal UI, set this address as the codec server and include cross-origin credentials.\n")
	case strings.HasSuffix(path, "/encode"), strings.HasSuffix(path, "/decode"):
		h.serveCodec(w, r)
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// authorized compares in constant time, whatever the length of what was sent.
func (h *handler) authorized(r *http.Request) bool {
	if h.Token == "" {
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
	want, got := sha256.Sum256([]byte(h.Token)), sha256.Sum256([]byte(given))
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
		h.refuse(w, r, http.StatusRequestEntityTooLarge, "too large")
		return
	case err != nil:
		http.Error(w, "incomplete body", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.codec.ServeHTTP(w, r)
}

func (h *handler) page(w http.ResponseWriter, r *http.Request, text string) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		notAllowed(w, http.MethodGet, http.MethodHead)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	// A client that is gone has no use for the answer.
	_, _ = io.WriteString(w, text)
}

func notAllowed(w http.ResponseWriter, methods ...string) {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, status int, why string) {
	h.Logger.WarnContext(r.Context(), "request refused", "status", status, "why", why,
		"from", r.RemoteAddr, "origin", r.Header.Get("Origin"))
	http.Error(w, why, status)
}
