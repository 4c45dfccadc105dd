package campaign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"lumaflow/internal/temporal/devserver"
	"lumaflow/workflows"
)

// temporal is a Temporal server on its file database. It can be killed and paused,
// and restarts on the same port with its database. A server that ends by itself,
// for example because it starts too slowly on a busy machine, is restarted.
type temporal struct {
	options devserver.Options

	mu     sync.Mutex
	server *devserver.Server // nil while it is down
	guards sync.WaitGroup
}

func startTemporal(ctx context.Context, port int, database string, log io.Writer) (*temporal, error) {
	t := &temporal{options: devserver.Options{
		Port:              port,
		DatabaseFile:      database,
		Log:               log,
		KeywordAttributes: workflows.SearchAttributes,
	}}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t, t.start(ctx)
}

// start starts the server and its guard. Callers hold mu.
func (t *temporal) start(ctx context.Context) error {
	// Old connections may still hold the port.
	var err error
	for range 5 {
		var server *devserver.Server
		if server, err = devserver.Start(ctx, t.options); err == nil {
			t.server = server
			t.guards.Go(func() { t.guard(ctx, server) })
			return nil
		}
		if sleep(ctx, time.Second) != nil {
			break
		}
	}
	return err
}

// guard waits for the end of a server and starts the next, unless kill or stop
// ended it.
func (t *temporal) guard(ctx context.Context, server *devserver.Server) {
	<-server.Exited()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != server {
		return
	}
	t.server = nil
	server.Stop()
	if err := t.start(ctx); err != nil && ctx.Err() == nil {
		_, _ = fmt.Fprintln(t.options.Log, "restart the Temporal server that ended by itself:", err)
	}
}

func (t *temporal) address() string { return fmt.Sprintf("127.0.0.1:%d", t.options.Port) }

// kill ends the server with SIGKILL and restarts it after the downtime. An error
// means that the restart failed.
func (t *temporal) kill(ctx context.Context, downtime time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		return errors.New("kill the Temporal server: it is not running")
	}
	server := t.server
	t.server = nil
	server.Kill()
	if err := sleep(ctx, downtime); err != nil {
		return err
	}
	if err := t.start(ctx); err != nil {
		return fmt.Errorf("restart the Temporal server: %w", err)
	}
	return nil
}

// pause stops the server with SIGSTOP for a duration.
func (t *temporal) pause(ctx context.Context, duration time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		return errors.New("pause the Temporal server: it is not running")
	}
	if err := t.server.Pause(); err != nil {
		return err
	}
	interrupted := sleep(ctx, duration)
	if err := t.server.Resume(); err != nil {
		return err
	}
	return interrupted
}

func (t *temporal) stop() {
	t.mu.Lock()
	server := t.server
	t.server = nil
	t.mu.Unlock()
	if server != nil {
		server.Stop()
	}
	t.guards.Wait()
}

// sleep waits, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
