package devserver

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

// outputDelay is the time for the rest of the output of a process that has ended,
// whose pipe a child of it may hold open.
const outputDelay = time.Second

// process is the server's operating system process, in a session of its own: Ctrl-C
// reaches only the program that started it, which stops the server in order.
type process struct {
	cmd    *exec.Cmd
	output output
	exited chan struct{}
}

// startProcess starts a program whose errors go to log. A guard kills it when this
// process dies.
func startProcess(log io.Writer, path string, arguments ...string) (*process, error) {
	if log == nil {
		log = io.Discard
	}
	guard, err := newGuard()
	if err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	p := &process{cmd: exec.Command(path, arguments...), output: output{log: log}, exited: make(chan struct{})}
	p.cmd.SysProcAttr = ownSession()
	p.cmd.Stderr = &p.output
	p.cmd.WaitDelay = outputDelay
	release, err := gated(p.cmd)
	if err != nil {
		guard.dismiss()
		return nil, err
	}
	guard.watch(p.cmd.Process.Pid)
	release()
	go func() {
		// The exit status has no meaning for a server that is stopped.
		_ = p.cmd.Wait()
		guard.dismiss()
		close(p.exited)
	}()
	return p, nil
}

// maxOutput bounds the kept output, in bytes.
const maxOutput = 4 << 10

// output copies the server's output to a log and keeps its end.
type output struct {
	mu  sync.Mutex
	log io.Writer
	end []byte
}

func (o *output) Write(text []byte) (int, error) {
	o.mu.Lock()
	o.end = append(o.end, text...)
	o.end = bytes.Clone(o.end[max(0, len(o.end)-maxOutput):])
	log := o.log
	o.mu.Unlock()
	// An error of the log must not stop the server.
	_, _ = log.Write(text)
	return len(text), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.end)
}

// mute ends the log: a server that stops logs errors for its pending work.
func (o *output) mute() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = io.Discard
}
