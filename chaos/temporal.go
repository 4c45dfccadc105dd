package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"lumaflow/devserver"
	"lumaflow/workflows"
)

// temporal is the real Temporal server on its file database. It can be killed
// and paused, and comes back on the same port with what it had stored.
type temporal struct {
	options devserver.Options

	mu     sync.Mutex
	server *devserver.Server // nil while it is dead
}

func startTemporal(ctx context.Context, port int, database string, log io.Writer) (*temporal, error) {
	t := &temporal{options: devserver.Options{
		Port:              port,
		DatabaseFile:      database,
		Log:               log,
		KeywordAttributes: []string{workflows.StageAttribute, workflows.TaskIDAttribute},
	}}
	var err error
	t.server, err = devserver.Start(ctx, t.options)
	return t, err
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
	t.server.Kill()
	t.server = nil
	if err := pauseFor(ctx, away); err != nil {
		return err
	}
	// The port may still be held by what is left of the old connections.
	var err error
	for range 5 {
		if t.server, err = devserver.Start(ctx, t.options); err == nil {
			return nil
		}
		if pauseFor(ctx, time.Second) != nil {
			break
		}
	}
	t.server = nil
	return fmt.Errorf("the Temporal server did not come back: %w", err)
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
	defer t.mu.Unlock()
	if t.server != nil {
		t.server.Stop()
	}
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
