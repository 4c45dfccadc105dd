// Package supervisor runs the programs under test as real processes. It starts
// them, waits for a line of their output, kills, pauses and stops them, restarts
// those that end, and finds free ports.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"time"
)

// pollInterval is the period at which the output is read again for a line.
const pollInterval = 20 * time.Millisecond

// Process is a started program. Its output, both streams, is in a file.
type Process struct {
	name string
	cmd  *exec.Cmd
	// log is the path of the output file; the output of this process begins at
	// offset.
	log    string
	offset int64
	exited chan struct{}
	// err is the result of cmd.Wait; it is set before exited is closed.
	err error
}

// Start starts a command and appends its output to log. The process ends with
// the caller's at the latest, where the system supports that (Linux).
func Start(name string, cmd *exec.Cmd, log *os.File) (*Process, error) {
	info, err := log.Stat()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	cmd.Env, cmd.Stdout, cmd.Stderr = Environment(cmd.Env), log, log
	p := &Process{name: name, cmd: cmd, log: log.Name(), offset: info.Size(), exited: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// run starts and reaps the process in one goroutine, as leash demands.
func (p *Process) run(started chan<- error) {
	leash(p.cmd)
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.exited)
}

// Name is the name given to Start.
func (p *Process) Name() string { return p.name }

// PID is the process id. The id is stale once Exited is closed.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended and was reaped.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// ExitCode waits for the end and returns the exit code, -1 after a signal.
func (p *Process) ExitCode() int {
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// Output is everything that the process has written.
func (p *Process) Output() (string, error) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return "", fmt.Errorf("read the output of %s: %w", p.name, err)
	}
	return string(text[min(p.offset, int64(len(text))):]), nil
}

// Await waits until the output matches the pattern and returns the submatches.
// It fails if ctx ends, or the process without the match.
func (p *Process) Await(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		// The output of a process that has ended before this is complete.
		ended := p.hasExited()
		output, err := p.Output()
		if err != nil {
			return nil, err
		}
		if found := pattern.FindStringSubmatch(output); found != nil {
			return found, nil
		}
		if ended {
			return nil, fmt.Errorf("%s ended (%s) without output that matches %q", p.name, p.cmd.ProcessState, pattern)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no output of %s matches %q: %w", p.name, pattern, ctx.Err())
		case <-p.exited:
		case <-tick.C:
		}
	}
}

func (p *Process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// Signal delivers a signal. It fails if the process has ended.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// Kill ends the process with SIGKILL and waits for its end. A process that has
// ended already is no error.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Pause stops the process with SIGSTOP until Resume.
func (p *Process) Pause() error { return pause(p.cmd.Process) }

// Resume continues a paused process.
func (p *Process) Resume() error { return resume(p.cmd.Process) }

// ErrNotStopped means that a process was still running after the timeout of
// Stop.
var ErrNotStopped = errors.New("still running")

// Stop sends SIGTERM and waits for the end. It returns ErrNotStopped if the
// process is still running after the timeout, and leaves it running.
func (p *Process) Stop(timeout time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	select {
	case <-p.exited:
		return nil
	case <-limit.C:
		return fmt.Errorf("stop %s: %w %s after SIGTERM", p.name, ErrNotStopped, timeout)
	}
}
