// Package devserver runs Temporal's development server: it finds or builds
// Temporal's CLI, starts the server as a process of its own and ends it again.
// It is for the demo and for tests; nothing here is meant for production.
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
	"go.temporal.io/sdk/testsuite"
)

// errEnded is a server that did not live to answer.
var errEnded = errors.New("it ended at once")

// stopTimeout is how long the server may take to end by itself.
const stopTimeout = 10 * time.Second

// Options say how the server is to run. The zero value is a server in memory,
// without a UI, on a free port of this machine.
type Options struct {
	// Namespace is created at start. Empty means "default".
	Namespace string
	// Port is where the server listens, on 127.0.0.1. Zero means a free one.
	Port int
	// DatabaseFile keeps the server's state. Empty means in memory.
	DatabaseFile string
	// UI turns the web UI on. UIPort is its port; zero means 8233, or a free one
	// if that is taken.
	UI     bool
	UIPort int
	// KeywordAttributes are the search attributes of type keyword that the
	// namespace shall have.
	KeywordAttributes []string
	// DynamicConfig are settings of the server itself, as KEY=VALUE with a JSON
	// value, for tests that can't wait for what it does every few minutes.
	DynamicConfig []string
	// Say is told when Temporal's CLI has to be built first. Nil is silent.
	Say io.Writer
	// Log receives what the server itself prints until it is stopped: warnings
	// and errors. Nil discards it.
	Log io.Writer
	// Logger is for the client of the server. Nil discards.
	Logger *slog.Logger
}

// Server is a running development server. Its methods may be called from any
// goroutine.
type Server struct {
	sdk     *testsuite.DevServer
	process *process
	ui      string
	stop    sync.Once
}

// Start finds Temporal's CLI (see Find), starts the server and returns when it
// answers. The context bounds the start, not the life of the server: call Stop.
// Should this process die without that, even by SIGKILL, the server ends too
// (on Unix).
//
// A server that ends while it starts, as with a port that is taken, is an error
// that quotes its last words.
func Start(ctx context.Context, options Options) (*Server, error) {
	cli, err := Find(ctx, options.Say)
	if err != nil {
		return nil, err
	}
	server, err := options.start(ctx, cli)
	if options.UI && options.UIPort == 0 && errors.Is(err, errEnded) {
		// Two servers that start at once both find the usual port free.
		if options.UIPort, err = freePort(0); err == nil {
			server, err = options.start(ctx, cli)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("start the Temporal dev server %s: %w", cli, err)
	}
	return server, nil
}

func (o Options) start(ctx context.Context, cli string) (*Server, error) {
	sdkOptions, ui, err := o.forSDK()
	if err != nil {
		return nil, err
	}
	process, err := newProcess(cli, o.Log)
	if err != nil {
		return nil, err
	}
	sdkOptions.ExistingPath = process.path
	sdkOptions.Stdout, sdkOptions.Stderr = process.stdout, process.stderr

	// The SDK goes on dialling a server that is gone.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-process.exited:
			cancel(fmt.Errorf("%w: %s", errEnded, process.lastWords()))
		case <-ctx.Done():
		}
	}()
	server, err := testsuite.StartDevServer(ctx, sdkOptions)
	process.started()
	if err != nil {
		process.abandon()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	return &Server{sdk: server, process: process, ui: ui}, nil
}

func (o Options) forSDK() (options testsuite.DevServerOptions, ui string, err error) {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	options = testsuite.DevServerOptions{
		ClientOptions: &client.Options{
			Namespace: o.Namespace,
			Logger:    log.NewStructuredLogger(logger),
		},
		DBFilename: o.DatabaseFile,
		EnableUI:   o.UI,
		LogLevel:   "warn",
	}
	if o.Port != 0 {
		options.ClientOptions.HostPort = net.JoinHostPort(loopback, strconv.Itoa(o.Port))
	}
	for _, name := range o.KeywordAttributes {
		options.ExtraArgs = append(options.ExtraArgs, "--search-attribute", name+"=Keyword")
	}
	for _, setting := range o.DynamicConfig {
		options.ExtraArgs = append(options.ExtraArgs, "--dynamic-config-value", setting)
	}
	if !o.UI {
		return options, "", nil
	}
	port := o.UIPort
	if port == 0 {
		if port, err = freePort(usualUIPort); err != nil {
			return testsuite.DevServerOptions{}, "", fmt.Errorf("UI: %w", err)
		}
	}
	options.UIPort = strconv.Itoa(port)
	return options, "http://" + net.JoinHostPort(loopback, options.UIPort), nil
}

// Address is the host and port that Temporal clients connect to.
func (s *Server) Address() string { return s.sdk.FrontendHostPort() }

// UIURL is where the web UI is. It is empty if there is none.
func (s *Server) UIURL() string { return s.ui }

// Client is a connected client for the server's namespace. Stop closes it.
func (s *Server) Client() client.Client { return s.sdk.Client() }

// Exited is closed when the server's process has ended, for whatever reason.
func (s *Server) Exited() <-chan struct{} { return s.process.exited }

// Stop ends the server, if need be by force, and returns when its process is
// gone. More calls do nothing.
func (s *Server) Stop() {
	s.stop.Do(func() {
		s.process.mute()
		s.sdk.Client().Close()
		force := time.AfterFunc(stopTimeout, s.process.kill)
		defer force.Stop()
		// Its error is the exit status, which says nothing about a server that
		// was told to go.
		_ = s.sdk.Stop()
		select {
		case <-s.process.exited:
		case <-time.After(stopTimeout):
		}
		s.process.guard.dismiss()
	})
}

// Kill ends the server as a crash would, and returns when its process is gone.
func (s *Server) Kill() {
	s.process.mute()
	s.process.kill()
	s.Stop()
}

// Pause stops the server's process in the middle of whatever it does, until
// Resume. Both report an error where the system can't do that.
func (s *Server) Pause() error { return s.process.pause() }

// Resume lets a paused server go on as if no time had passed.
func (s *Server) Resume() error { return s.process.resume() }
