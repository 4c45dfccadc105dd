// Package devserver runs Temporal's development server for the demo and for tests:
// it finds or builds Temporal's CLI and starts the server as a process of its own.
package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

const (
	loopback = "127.0.0.1"
	// defaultUIPort is the UI port of Temporal's dev server.
	defaultUIPort = 8233
	// readyTimeout bounds the start of the server, dialInterval is the pause between
	// two attempts to connect.
	readyTimeout = 2 * time.Minute
	dialInterval = 100 * time.Millisecond
	// stopTimeout is the time for the server to stop before it is killed.
	stopTimeout = 10 * time.Second
)

// errEnded is the error of a server process that ends before it is ready.
var errEnded = errors.New("it ended at once")

// Options are the settings of the server. The zero value is a server in memory,
// without a UI, on a free port of 127.0.0.1.
type Options struct {
	// Port is the port on 127.0.0.1; zero means a free one.
	Port int
	// DatabaseFile holds the server's state; empty means memory.
	DatabaseFile string
	// UI turns the web UI on. UIPort is its port; zero means 8233, or a free one
	// if that is in use.
	UI     bool
	UIPort int
	// KeywordAttributes are the keyword search attributes of the default namespace.
	KeywordAttributes []string
	// DynamicConfig are settings of the server, as KEY=VALUE with a JSON value.
	DynamicConfig []string
	// Progress receives lines about the build of Temporal's CLI, if one is needed;
	// nil discards them.
	Progress io.Writer
	// Log receives the warnings and errors of the server until it is stopped; nil
	// discards them.
	Log io.Writer
	// Logger is the logger of the server's client; nil discards its log.
	Logger *slog.Logger
}

// Server is a running development server. Its methods are safe for concurrent use.
type Server struct {
	process *process
	client  client.Client
	address string
	ui      string
	stop    sync.Once
}

// Start finds Temporal's CLI (see Find), starts the server and returns when it is
// ready. The context bounds the start, not the life of the server: call Stop. On
// Unix the server also ends when this process dies, by SIGKILL too.
//
// The error of a server that ends during its start, because its port is in use for
// example, has the last line of its output.
func Start(ctx context.Context, options Options) (*Server, error) {
	cli, err := Find(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	server, err := options.start(ctx, cli)
	if errors.Is(err, errEnded) && (options.Port == 0 || options.UI && options.UIPort == 0) {
		// Another process may have taken a free port before the server has opened it.
		server, err = options.startElsewhere(ctx, cli)
	}
	if err != nil {
		return nil, fmt.Errorf("start the Temporal dev server %s: %w", cli, err)
	}
	return server, nil
}

// startElsewhere starts the server on other free ports, where no port is given.
func (o Options) startElsewhere(ctx context.Context, cli string) (*Server, error) {
	if o.UI && o.UIPort == 0 {
		var err error
		if o.UIPort, err = freePort(0); err != nil {
			return nil, fmt.Errorf("UI: %w", err)
		}
	}
	return o.start(ctx, cli)
}

func (o Options) start(ctx context.Context, cli string) (*Server, error) {
	var err error
	if o.Port == 0 {
		if o.Port, err = freePort(0); err != nil {
			return nil, err
		}
	}
	if o.UI && o.UIPort == 0 {
		if o.UIPort, err = freePort(defaultUIPort); err != nil {
			return nil, fmt.Errorf("UI: %w", err)
		}
	}
	process, err := startProcess(o.Log, cli, o.arguments()...)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(loopback, strconv.Itoa(o.Port))
	temporal, err := o.connect(ctx, process, address)
	if err != nil {
		process.kill()
		<-process.exited
		return nil, err
	}
	server := &Server{process: process, client: temporal, address: address}
	if o.UI {
		server.ui = "http://" + net.JoinHostPort(loopback, strconv.Itoa(o.UIPort))
	}
	return server, nil
}

func (o Options) arguments() []string {
	arguments := []string{
		"server", "start-dev", "--ip", loopback, "--port", strconv.Itoa(o.Port), "--log-level", "warn",
		"--dynamic-config-value", "frontend.enableServerVersionCheck=false",
	}
	if o.UI {
		arguments = append(arguments, "--ui-port", strconv.Itoa(o.UIPort))
	} else {
		arguments = append(arguments, "--headless")
	}
	if o.DatabaseFile != "" {
		arguments = append(arguments, "--db-filename", o.DatabaseFile)
	}
	for _, name := range o.KeywordAttributes {
		arguments = append(arguments, "--search-attribute", name+"=Keyword")
	}
	for _, setting := range o.DynamicConfig {
		arguments = append(arguments, "--dynamic-config-value", setting)
	}
	return arguments
}

// freePort returns the preferred port if it is free, else another free one. Another
// process may take it before the server does; then the start fails.
func freePort(preferred int) (int, error) {
	for _, port := range []int{preferred, 0} {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			continue
		}
		free := listener.Addr().(*net.TCPAddr).Port
		if err := listener.Close(); err == nil {
			return free, nil
		}
	}
	return 0, fmt.Errorf("no free port on %s", loopback)
}

// connect dials until the server answers, its process ends or ctx ends.
func (o Options) connect(ctx context.Context, process *process, address string) (client.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("it is not ready after %s", readyTimeout))
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() {
		select {
		case <-process.exited:
			end(fmt.Errorf("%w: %s", errEnded, lastLine(process.output.String())))
		case <-ctx.Done():
		}
	}()
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	for {
		temporal, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: log.NewStructuredLogger(logger)})
		if err == nil {
			return temporal, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(dialInterval):
		}
	}
}

// Address returns the host and port for Temporal clients.
func (s *Server) Address() string { return s.address }

// UIURL returns the URL of the web UI, empty without UI.
func (s *Server) UIURL() string { return s.ui }

// Client returns a connected client for the default namespace. Stop closes it.
func (s *Server) Client() client.Client { return s.client }

// Exited is closed when the server's process has ended for any reason.
func (s *Server) Exited() <-chan struct{} { return s.process.exited }

// Stop stops the server, kills it after ten seconds, and returns when its process
// has ended. Further calls do nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.process.output.mute()
		s.client.Close()
		s.process.interrupt()
		select {
		case <-s.process.exited:
		case <-time.After(stopTimeout):
			s.process.kill()
			<-s.process.exited
		}
	})
}

// Kill ends the server like a crash and returns when its process has ended.
func (s *Server) Kill() {
	s.process.output.mute()
	s.process.kill()
	s.Stop()
}

// Pause suspends the server's process until Resume. Both return an error on
// systems without such signals.
func (s *Server) Pause() error { return s.process.pause() }

// Resume continues a paused server.
func (s *Server) Resume() error { return s.process.resume() }
