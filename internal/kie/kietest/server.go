package kietest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path"
	"sync"
	"time"
)

// Server is a simulated kie.ai: one account, its tasks and its bill. It serves
// the API, the uploads and the results alike, and is safe for concurrent use.
type Server struct {
	options   Options
	log       *slog.Logger
	client    *http.Client
	routes    http.Handler
	files     *os.Root
	stateful  bool
	journal   *journal
	uploading exposure
	// modifying lets one render use the machine's cores at a time.
	modifying chan struct{}

	ctx        context.Context
	stop       context.CancelFunc
	background sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	schedule schedule
	jobs     map[request]*job
	tasks    map[string]*task
	charges  []*task
	keys     keys
	released chan struct{} // closed by the next release
	links    map[string]*link
	admitted []time.Time // submissions in the rate limit's window
	credits  float64
	topUps   int
	counts   Counts
	refusals map[int]int

	strikes  sync.Mutex
	injected map[string]int
}

// New makes a simulated kie.ai. It reports faults that do not exist
// (ErrUnknownFault), a rate that is none, and a StateDir that can't be used.
// Close ends it.
func New(options Options) (*Server, error) {
	schedule, err := newSchedule(options.Seed, options.Faults, options.FaultRate)
	if err != nil {
		return nil, err
	}
	uploading, err := exposedUploads(options.UploadFaults)
	if err != nil {
		return nil, err
	}
	options = options.withDefaults()
	s := &Server{
		options:   options,
		log:       options.Logger,
		client:    callbackClient(options.Client),
		uploading: uploading,
		modifying: make(chan struct{}, 1),
		schedule:  schedule,
		jobs:      map[request]*job{},
		tasks:     map[string]*task{},
		links:     map[string]*link{},
		keys:      keysOf(options),
		released:  make(chan struct{}),
		credits:   options.Credits,
		refusals:  map[int]int{},
		injected:  map[string]int{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.routes = s.router()
	if err := s.openState(); err != nil {
		s.stop()
		return nil, fmt.Errorf("simulate kie.ai: %w", err)
	}
	return s, nil
}

func (s *Server) router() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("POST /api/v1/modify/generate", s.api(s.submit, s.shutOut))
	routes.HandleFunc("GET /api/v1/modify/record-info", s.api(s.record, refuse))
	routes.HandleFunc("POST /api/v1/common/download-url", s.api(s.mint, refuse))
	routes.HandleFunc("GET /api/v1/chat/credit", s.api(s.credit, refuse))
	routes.HandleFunc("POST /api/file-stream-upload", s.uploads(s.uploadStream))
	routes.HandleFunc("POST /api/file-base64-upload", s.uploads(s.uploadBase64))
	routes.HandleFunc("POST /api/file-url-upload", s.uploads(s.uploadURL))
	routes.HandleFunc("GET /uploads/{path...}", s.upload)
	routes.HandleFunc("GET /l/{link}", s.download)
	routes.HandleFunc("GET /m/{link}", s.download)
	routes.HandleFunc("GET /forged/{name}", s.forgedDownload)
	routes.HandleFunc("GET /_sim/ledger", s.showLedger)
	routes.HandleFunc("GET /_sim/faults", s.showFaults)
	routes.HandleFunc("POST /_sim/faults", s.setFaults)
	routes.HandleFunc("POST /_sim/topup", s.topUp)
	routes.HandleFunc("POST /_sim/keys", s.setKeys)
	routes.HandleFunc("POST /_sim/release", s.release)
	return routes
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The mux would answer an untidy path with a redirect, kie.ai has no such
	// route.
	if path.Clean(r.URL.Path) != r.URL.Path {
		http.NotFound(w, r)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// Close ends everything that runs in the background (renders, callbacks,
// stalled downloads) and waits for it. Submissions are refused from then on.
func (s *Server) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return nil
	}
	s.stop()
	s.background.Wait()
	if s.options.Client == nil {
		s.client.CloseIdleConnections()
	}
	return s.closeState()
}

// spawn runs work in the background, unless the server is closing. Callers hold
// s.mu, which keeps Close from missing it.
func (s *Server) spawn(work func()) {
	if !s.closed {
		s.background.Go(work)
	}
}

var errClosed = errors.New("the simulator is closed")

// pause waits for d. It ends early, with an error, when ctx or the server does.
func (s *Server) pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return errClosed
	}
}

// base is where the sender of r reaches this server.
func (s *Server) base(r *http.Request) string {
	if s.options.BaseURL != "" {
		return s.options.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// newID makes an id in the shape of kie.ai's task ids. It is random, whatever
// the seed, so that two runs never share a file name.
func newID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}
