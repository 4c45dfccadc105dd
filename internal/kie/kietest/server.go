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

// Server is a simulated kie.ai: one account, its tasks and its bill. It serves the
// API, the uploads and the results. It is safe for concurrent use.
type Server struct {
	options      Options
	log          *slog.Logger
	client       *http.Client
	routes       http.Handler
	files        *os.Root
	stateful     bool
	journal      *journal
	uploadFaults faultSet
	// modifying limits Options.Modify to one call at a time.
	modifying chan struct{}

	ctx        context.Context
	stop       context.CancelFunc
	background sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	schedule schedule
	jobs     map[lumaRequest]*job
	tasks    map[string]*task
	charges  []*task
	keys     keys
	released chan struct{} // closed by the next POST /_sim/release
	links    map[string]*link
	admitted []time.Time // charges in the rate limit's window
	credits  float64
	// catalogueRead is the time of the last request for the catalogue.
	catalogueRead time.Time
	topUps        int
	counts        Counts
	refusals      map[int]int

	faultMu     sync.Mutex
	faultCounts map[string]int
}

// New starts a simulated kie.ai; Close ends it. It fails for a fault that does not
// exist (ErrUnknownFault), an invalid rate, and an unusable StateDir.
func New(options Options) (*Server, error) {
	schedule, err := newSchedule(options.Seed, options.Faults, options.FaultRate)
	if err != nil {
		return nil, err
	}
	uploadFaults, err := newUploadFaults(options.UploadFaults)
	if err != nil {
		return nil, err
	}
	options = options.withDefaults()
	s := &Server{
		options:      options,
		log:          options.Logger,
		client:       callbackClient(options.Client),
		uploadFaults: uploadFaults,
		modifying:    make(chan struct{}, 1),
		schedule:     schedule,
		jobs:         map[lumaRequest]*job{},
		tasks:        map[string]*task{},
		links:        map[string]*link{},
		keys:         keysOf(options),
		released:     make(chan struct{}),
		credits:      options.Credits,
		refusals:     map[int]int{},
		faultCounts:  map[string]int{},
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
	for _, f := range families {
		f.routes(s, routes)
	}
	// Common to all families.
	routes.HandleFunc("POST /api/v1/common/download-url", s.api(s.downloadURL, refuse))
	routes.HandleFunc("GET /api/v1/chat/credit", s.api(s.credit, refuse))
	routes.HandleFunc("POST /api/file-stream-upload", s.uploads(s.uploadStream))
	routes.HandleFunc("POST /api/file-base64-upload", s.uploads(s.uploadBase64))
	routes.HandleFunc("POST /api/file-url-upload", s.uploads(s.uploadURL))
	// Files.
	routes.HandleFunc("GET /uploads/{path...}", s.upload)
	routes.HandleFunc("GET /clips/{name}", s.sourceClip)
	routes.HandleFunc("GET /l/{link}", s.download)
	routes.HandleFunc("GET /m/{link}", s.download)
	routes.HandleFunc("GET /forged/{name}", s.forgedDownload)
	// Controls of the simulator.
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
	// ServeMux redirects a path that is not clean; at kie.ai it is unknown.
	if path.Clean(r.URL.Path) != r.URL.Path {
		http.NotFound(w, r)
		return
	}
	s.routes.ServeHTTP(w, r)
}

// Close ends all renders, callbacks and stalled downloads, and waits for them.
// Later submissions are refused.
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

// spawn runs work in the background, unless the server is closed. Callers hold
// s.mu, so that Close waits for the work.
func (s *Server) spawn(work func()) {
	if !s.closed {
		s.background.Go(work)
	}
}

var errClosed = errors.New("the simulator is closed")

// pause waits for d. It fails when ctx or the server ends before.
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

// base is this server's address for the sender of r.
func (s *Server) base(r *http.Request) string {
	if s.options.BaseURL != "" {
		return s.options.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// newID returns an id in the format of observed task ids. It does not depend on
// the seed, so that two runs share no file name.
func newID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}
