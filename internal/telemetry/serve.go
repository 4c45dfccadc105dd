package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	readTime = 5 * time.Second
	// writeTime holds a check that takes all its time, and a slow scraper.
	writeTime = 20 * time.Second
	idleTime  = 2 * time.Minute
	// closeTime is for a scrape that is under way at the end.
	closeTime = time.Second
)

// server is what a role serves on its own port.
type server struct {
	http *http.Server
	done chan struct{}
}

func serve(listener net.Listener, metrics http.Handler, readiness *Readiness, logger *slog.Logger) *server {
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	routes.HandleFunc("GET /healthz", serveAlive)
	routes.HandleFunc("GET /readyz", readiness.serveReady)
	s := &server{
		http: &http.Server{
			Handler:      routes,
			ReadTimeout:  readTime,
			WriteTimeout: writeTime,
			IdleTimeout:  idleTime,
			ErrorLog:     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
		done: make(chan struct{}),
	}
	logger.Info("metrics and health listening", "address", listener.Addr().String())
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			// The work goes on; whoever probes the port sees that it is gone.
			logger.Error("metrics and health are not served any more", "error", err)
		}
	}()
	return s
}

func (s *server) close() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
}
