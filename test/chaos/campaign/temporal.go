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

// temporal is the real Temporal server on its file database. It can be killed
// and paused, and comes back on the same port with what it had stored. Should it
// end by itself, as when it takes too long to start beside others, it is started
// again, as an operator's supervisor would.
type temporal struct {
	options devserver.Options

	mu     sync.Mutex
	server *devserver.Server // nil while it is dead
	kept   sync.WaitGroup
}

func startTemporal(ctx context.Context, port int, database string, log io.Writer) (*temporal, error) {
	t := &temporal{options: devserver.Options{
		Port:              port,
		DatabaseFile:      database,
		Log:               log,
		KeywordAttributes: []string{workflows.StageAttribute, workflows.TaskIDAttribute},
	}}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t, t.start(ctx)
}

// start starts it and keeps it alive. Callers hold mu.
func (t *temporal) start(ctx context.Context) error {
	// The port may still be held by what is left of the old connections.
	var err error
	for range 5 {
		var server *devserver.Server
		if server, err = devserver.Start(ctx, t.options); err == nil {
			t.server = server
			t.kept.Go(func() { t.keep(ctx, server) })
			return nil
		}
		if pauseFor(ctx, time.Second) != nil {
			break
		}
	}
	return err
}

// keep waits for the end of a server and starts the next, unless it was ended on
// purpose.
func (t *temporal) keep(ctx context.Context, server *devserver.Server) {
	<-server.Exited()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != server {
		return
	}
	t.server = nil
	server.Stop()
	if err := t.start(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(t.options.Log, "the Temporal server ended by itself and did not come back:", err)
	}
}

func (t *temporal) address() string { return fmt.Sprintf("127.0.0.1:%d", t.options.Port) }

// kill ends the server as a crash would and has it back after a while. An error
// means that it did not come back.
func (t *temporal) kill(ctx context.Context, away time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		return errors.New("the Temporal server is gone and can't be killed")
	}
	server := t.server
	t.server = nil
	server.Kill()
	if err := pauseFor(ctx, away); err != nil {
		return err
	}
	if err := t.start(ctx); err != nil {
		return fmt.Errorf("the Temporal server did not come back: %w", err)
	}
	return nil
}

// pause stops the server in the middle of whatever it does.
func (t *temporal) pause(ctx context.Context, away time.Duration) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		return errors.New("the Temporal server is gone and can't be paused")
	}
	if err := t.server.Pause(); err != nil {
		return err
	}
	waited := pauseFor(ctx, away)
	if err := t.server.Resume(); err != nil {
		return err
	}
	return waited
}

func (t *temporal) stop() {
	t.mu.Lock()
	server := t.server
	t.server = nil
	t.mu.Unlock()
	if server != nil {
		server.Stop()
	}
	t.kept.Wait()
}

// pauseFor waits, or reports that ctx has ended.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
