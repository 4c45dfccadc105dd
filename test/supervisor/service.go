package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"
)

// minDowntime is the shortest time between the end of a process and its restart.
const minDowntime = 100 * time.Millisecond

// Service is a program that is restarted whenever its process ends, until
// Stop or Abandon.
type Service struct {
	name    string
	log     *os.File
	command func() *exec.Cmd
	stopped chan struct{}

	mu       sync.Mutex
	current  *Process // nil between two processes
	stopping bool
	downtime time.Duration // before the next start
	lastErr  error         // of the last process, or of its start
}

// StartService starts a program and restarts it. Every start gets a new command.
// The processes are in process groups of their own, so that a Ctrl-C in the
// terminal reaches the caller alone. StartService closes log at the end.
func StartService(name string, log *os.File, command func() *exec.Cmd) *Service {
	s := &Service{name: name, log: log, command: command, stopped: make(chan struct{})}
	go s.run()
	return s
}

func (s *Service) run() {
	defer close(s.stopped)
	defer s.log.Close()
	for {
		p := s.start()
		if p == nil {
			return
		}
		<-p.Exited()
		downtime, stopping := s.ended(p)
		if stopping {
			return
		}
		_, _ = fmt.Fprintf(s.log, "--- %s ended (%v), restart in %s\n", s.name, p.err, downtime)
		time.Sleep(downtime)
	}
}

// start returns nil if there is to be no further process.
func (s *Service) start() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil
	}
	cmd := s.command()
	detach(cmd)
	s.current, s.lastErr = Start(s.name, cmd, s.log)
	return s.current
}

func (s *Service) ended(p *Process) (downtime time.Duration, stopping bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	downtime = max(s.downtime, minDowntime)
	s.current, s.lastErr, s.downtime = nil, p.err, 0
	return downtime, s.stopping
}

// Name is the name given to StartService.
func (s *Service) Name() string { return s.name }

// Current is the running process, nil between two.
func (s *Service) Current() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current
}

// PID is the id of the running process, zero between two.
func (s *Service) PID() int {
	if p := s.Current(); p != nil {
		return p.PID()
	}
	return 0
}

// Running waits until there is a running process, or ctx ends.
func (s *Service) Running(ctx context.Context) (*Process, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if p := s.Current(); p != nil {
			return p, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is not running: %w", s.name, ctx.Err())
		case <-s.stopped:
			return nil, fmt.Errorf("%s was stopped (%v)", s.name, s.lastErr)
		case <-tick.C:
		}
	}
}

// Await waits until the output of the running process, or of a later one,
// matches the pattern.
func (s *Service) Await(ctx context.Context, pattern *regexp.Regexp) error {
	for {
		p, err := s.Running(ctx)
		if err != nil {
			return err
		}
		if _, err = p.Await(ctx, pattern); err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// Kill ends the running process with SIGKILL; the next starts after downtime. It
// reports whether there was a process to kill.
func (s *Service) Kill(downtime time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return false
	}
	s.downtime = downtime
	return s.current.Signal(os.Kill) == nil
}

// Pause stops the running process with SIGSTOP until resume is called. It
// reports whether there was a process to pause. A kill during the pause is no
// error.
func (s *Service) Pause() (resume func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	paused := s.current
	if paused == nil || paused.Pause() != nil {
		return func() {}, false
	}
	return func() { _ = paused.Resume() }, true
}

// Stop ends the program with SIGTERM. It fails if the process has not ended after
// the timeout, which kills it, or has ended with an error.
func (s *Service) Stop(timeout time.Duration) error {
	if p := s.noRestart(); p != nil {
		if err := p.Stop(timeout); err != nil {
			s.Abandon()
			return err
		}
	}
	<-s.stopped
	if s.lastErr != nil {
		return fmt.Errorf("%s ended with an error after SIGTERM: %w", s.name, s.lastErr)
	}
	return nil
}

// Abandon ends the program with SIGKILL.
func (s *Service) Abandon() {
	if p := s.noRestart(); p != nil {
		_ = p.Signal(os.Kill)
	}
	<-s.stopped
}

func (s *Service) noRestart() *Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	return s.current
}
