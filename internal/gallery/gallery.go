// Package gallery serves the videos of a store as pages for a browser: a sheet of all
// results, and a comparison of each with its source or another result. Its data are
// the receipts of the store alone; it needs neither Temporal nor kie.ai. It answers
// GET and HEAD, changes nothing, and serves only files that a receipt lists.
//
// Receipts are hostile: html/template escapes their texts, their names are resolved
// in the index instead of opened as paths, and the Content-Security-Policy allows no
// script, style or request but the gallery's own.
package gallery

import (
	"context"
	"embed"
	"html/template"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"lumaflow/internal/store"
)

// Store is the part of a store.Store that the gallery reads. The readers of Open must
// be io.Seekers for requests of ranges. A store that has SignedURL as package bucket
// delivers videos by signed links, if its credentials can sign.
type Store interface {
	List(ctx context.Context) iter.Seq2[store.Entry, error]
	Receipt(ctx context.Context, name string) (store.Receipt, error)
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Options are the settings of a gallery.
type Options struct {
	// Token is the bearer token of every request; empty only for a listener on a
	// loopback address.
	Token string
	// TemporalUI is the base URL of the Temporal UI, empty for no links to it.
	// Namespace is that of the jobs.
	TemporalUI, Namespace string
	// Shown names the store on the pages. It must not contain credentials.
	Shown string
	// Interval is the least time between two listings of the store. The store is
	// listed only while a page is open.
	Interval time.Duration
	// Location is the time zone of days and times; nil is UTC.
	Location *time.Location
	Logger   *slog.Logger
}

// Gallery is the pages of one store. It is safe for concurrent use.
type Gallery struct {
	options Options
	store   Store
	index   *index
	guard   guard
	pages   *template.Template
	policy  string
	signer  signer
	frames  *lru.Cache[frameKey, time.Duration]
	handler http.Handler
}

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var staticFiles embed.FS

// freshness bounds the time that a page waits for a listing.
const freshness = 100 * time.Millisecond

// New makes a gallery. Run must run for it to show new results.
func New(ctx context.Context, from Store, options Options) *Gallery {
	if options.Location == nil {
		options.Location = time.UTC
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gallery{
		options: options,
		store:   from,
		index:   newIndex(from),
		guard:   newGuard(options.Token),
	}
	g.frames, _ = lru.New[frameKey, time.Duration](1000)
	g.pages = template.Must(template.New("").Funcs(g.functions()).ParseFS(pageFiles, "pages/*.html"))
	media := "'self'"
	if origin := g.signing(ctx, from); origin != "" {
		media += " " + origin
	}
	g.policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; media-src " + media +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
	g.handler = g.routes()
	return g
}

// Run reads the receipts, and lists the store again while pages are requested, until
// ctx ends.
func (g *Gallery) Run(ctx context.Context) { g.index.watch(ctx, g.options.Interval) }

// Refresh lists the store and reads new receipts at once.
func (g *Gallery) Refresh(ctx context.Context) error { return g.index.refresh(ctx) }

func (g *Gallery) snapshot(ctx context.Context) *snapshot { return g.index.fresh(ctx, freshness) }

func (g *Gallery) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", g.sheet)
	mux.HandleFunc("GET /compare", g.compare)
	mux.HandleFunc("GET /media/{name}", g.media)
	mux.HandleFunc("GET /download/{name}", g.download)
	mux.HandleFunc("GET /receipt/{name}", g.receipt)
	mux.HandleFunc("GET /state", g.state)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		g.refuse(w, http.StatusNotFound, "There is no such page.")
	})
	static, _ := fs.Sub(staticFiles, "static")
	files := http.FileServerFS(static)
	open := http.NewServeMux()
	open.HandleFunc("GET /static/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		http.StripPrefix("/static/", files).ServeHTTP(w, r)
	})
	open.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	open.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		if g.guard.admits(w, r, g.refuse) {
			mux.ServeHTTP(w, r)
		}
	})
	return open
}

// ServeHTTP answers one request.
func (g *Gallery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", g.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "the gallery is read-only", http.StatusMethodNotAllowed)
		return
	}
	g.handler.ServeHTTP(w, r)
}

// jobLink is the address of a run in the Temporal UI, empty without TemporalUI.
func (g *Gallery) jobLink(result *Result) string {
	if g.options.TemporalUI == "" || result.Job == "" {
		return ""
	}
	link := strings.TrimSuffix(g.options.TemporalUI, "/") + "/namespaces/" + url.PathEscape(g.options.Namespace) + "/workflows/" + url.PathEscape(result.Job)
	if result.Run != "" {
		link += "/" + url.PathEscape(result.Run) + "/history"
	}
	return link
}
