package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	readTimeout = 5 * time.Second
	// writeTimeout includes the longest check and a slow scraper.
	writeTimeout = 20 * time.Second
	idleTimeout  = 2 * time.Minute
	// closeTimeout bounds the scrapes in flight at shutdown.
	closeTimeout = time.Second
)

// server serves metrics and health on a role's METRICS_LISTEN port.
type server struct {
	http *http.Server
	done chan struct{}
}

func serve(listener net.Listener, metrics http.Handler, readiness *Readiness, logger *slog.Logger) *server {
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	routes.HandleFunc("GET /healthz", serveHealthy)
	routes.HandleFunc("GET /readyz", readiness.serveReady)
	s := &server{
		http: &http.Server{
			Handler:      routes,
			ReadTimeout:  readTimeout,
			WriteTimeout: writeTimeout,
			IdleTimeout:  idleTimeout,
			ErrorLog:     slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
		done: make(chan struct{}),
	}
	logger.Info("metrics and health listening", "address", listener.Addr().String())
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			// The role continues; probes of the port fail.
			logger.Error("metrics and health server failed", "error", err)
		}
	}()
	return s
}

func (s *server) close() {
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
}
