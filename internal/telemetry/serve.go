package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"lumaflow/internal/command/serving"
)

const (
	readTime = 5 * time.Second
	// writeTime holds a check that takes all its time, and a slow scraper.
	writeTime = 20 * time.Second
	idleTime  = 2 * time.Minute
	// closeTime is for a scrape that is under way at the end.
	closeTime = time.Second
)

// server serves a role's own port.
type server struct {
	stop context.CancelFunc
	done chan struct{}
}

func serve(listener net.Listener, metrics http.Handler, readiness *Readiness, logger *slog.Logger) *server {
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	routes.HandleFunc("GET /healthz", serveAlive)
	routes.HandleFunc("GET /readyz", readiness.serveReady)
	http := &http.Server{
		Handler:      routes,
		ReadTimeout:  readTime,
		WriteTimeout: writeTime,
		IdleTimeout:  idleTime,
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &server{stop: stop, done: make(chan struct{})}
	wait := serving.Start(ctx, listener, http, "metrics and health", closeTime, logger)
	go func() {
		defer close(s.done)
		if err := wait(); err != nil {
			// The role itself goes on; a probe of the port fails from now on.
			logger.Error("metrics and health are not served any more", "error", err)
		}
	}()
	return s
}

func (s *server) close() {
	if s == nil {
		return
	}
	s.stop()
	<-s.done
}
