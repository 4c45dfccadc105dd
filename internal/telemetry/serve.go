package telemetry

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"lumaflow/internal/command/serving"
)

const (
	readTimeout = 5 * time.Second
	// writeTimeout includes the longest check and a slow scraper.
	writeTimeout = 20 * time.Second
	idleTimeout  = 2 * time.Minute
	// closeTimeout bounds the scrapes in flight at shutdown.
	closeTimeout = time.Second
)

// serve serves metrics and health on a role's METRICS_LISTEN port until stop.
func serve(listener net.Listener, metrics http.Handler, readiness *Readiness, logger *slog.Logger) (stop func()) {
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	routes.HandleFunc("GET /healthz", serveHealthy)
	routes.HandleFunc("GET /readyz", readiness.serveReady)
	http := &http.Server{
		Handler:      routes,
		ReadTimeout:  readTimeout,
		WriteTimeout: writeTimeout,
		IdleTimeout:  idleTimeout,
	}
	ctx, cancel := context.WithCancel(context.Background())
	wait := serving.Start(ctx, listener, http, "metrics and health", closeTimeout, logger)
	var running sync.WaitGroup
	running.Go(func() {
		if err := wait(); err != nil {
			// The role continues; probes of the port fail.
			logger.Error("metrics and health server failed", "error", err)
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
