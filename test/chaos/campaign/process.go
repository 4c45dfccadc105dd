package campaign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to drain. A worker lets a paid
// request under way end first.
const stopTimeout = 90 * time.Second

// process is a role of lumaflow as a real process. Whatever ends it, it is
// started again, as an operator's supervisor would, until it is told to stop.
type process struct {
	name string
	// ready is what it says when it has come up.
	ready string
	log   *os.File
	make  func() *exec.Cmd

	mu       sync.Mutex
	alive    *os.Process // nil between two lives
	stopping bool
	away     time.Duration // how long the next life has to wait
	done     chan struct{}
	last     error // how the last life ended
}

// runProcess starts it and keeps it alive until stop.
func runProcess(folder, name, ready string, command func() *exec.Cmd) (*process, error) {
	log, err := os.OpenFile(filepath.Join(folder, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{name: name, ready: ready, log: log, make: command, done: make(chan struct{})}
	go p.live()
	return p, nil
}

func (p *process) live() {
	defer close(p.done)
	defer p.log.Close()
	for {
		cmd := p.make()
		cmd.Stdout, cmd.Stderr = p.log, p.log
		detach(cmd)
		leash(cmd)
		if !p.begin(cmd) {
			return
		}
		err := cmd.Wait()
		p.mu.Lock()
		p.alive, p.last = nil, err
		away := max(p.away, 100*time.Millisecond)
		p.away = 0
		over := p.stopping
		p.mu.Unlock()
		if over {
			return
		}
		fmt.Fprintf(p.log, "%s %s ended (%v), the next begins in %s\n", endOfLife, p.name, err, away)
		time.Sleep(away)
	}
}

// endOfLife begins the line between two lives in the log.
const endOfLife = "--- this life of"

// up waits until the process runs and has said that it is ready.
func (p *process) up(ctx context.Context) error {
	for {
		text, err := os.ReadFile(p.log.Name())
		if err != nil {
			return err
		}
		life := text[max(0, bytes.LastIndex(text, []byte(endOfLife))):]
		if p.pid() != 0 && bytes.Contains(life, []byte(p.ready)) {
			return nil
		}
		if err := pauseFor(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%s did not come up again: %w", p.name, err)
		}
	}
}

// running waits until there is a life to end or to pause.
func (p *process) running(ctx context.Context) {
	for p.pid() == 0 && pauseFor(ctx, 10*time.Millisecond) == nil {
	}
}

func (p *process) begin(cmd *exec.Cmd) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopping {
		return false
	}
	if err := cmd.Start(); err != nil {
		p.last = err
		return false
	}
	p.alive = cmd.Process
	return true
}

// kill ends the present life as a power cut would; the next begins after away.
// It reports whether there was a life to end.
func (p *process) kill(away time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive == nil {
		return false
	}
	p.away = away
	return p.alive.Kill() == nil
}

// pause stops the process in the middle of whatever it does, and resume lets it
// go on as if nothing had happened. A life that was killed meanwhile is no
// concern of either.
func (p *process) pause() (resume func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	paused := p.alive
	if paused == nil || halt(paused) != nil {
		return func() {}, false
	}
	return func() { _ = goOn(paused) }, true
}

// pid is zero between two lives.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive == nil {
		return 0
	}
	return p.alive.Pid
}

// stop asks it to drain, and reports if it does not do so in time, or badly.
func (p *process) stop() error {
	p.mu.Lock()
	p.stopping = true
	if p.alive != nil {
		_ = p.alive.Signal(syscall.SIGTERM)
	}
	p.mu.Unlock()
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		p.kill(0)
		<-p.done
		return fmt.Errorf("%s did not drain within %s of SIGTERM", p.name, stopTimeout)
	}
	if p.last != nil {
		return fmt.Errorf("%s did not end well after SIGTERM: %w", p.name, p.last)
	}
	return nil
}

// abandon ends it at once, whatever it does.
func (p *process) abandon() {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.kill(0)
	<-p.done
}

// run runs one command of lumaflow to its end.
func run(ctx context.Context, binary string, env []string, args ...string) (output []byte, err error) {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = env
	output, err = cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("lumaflow %s: %w: %s", args[0], err, output)
	}
	return output, err
}
