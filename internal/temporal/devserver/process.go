package devserver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// process is the server's operating system process. The SDK starts it and does
// not let go of it, so what has to be known about it comes through its output:
// the launcher's first line is the process id, and the end of the output is the
// end of the process.
type process struct {
	path           string   // what the SDK has to execute
	stdout, stderr *os.File // what it has to give the process
	exited         chan struct{}

	launcher launcher
	guard    guard
	known    chan struct{} // closed when pid is set
	pid      int           // zero if there is none to be known

	mu    sync.Mutex
	log   io.Writer
	words []byte // the end of what the server wrote to stderr
}

// keptWords is how much of the server's output an error can quote from.
const keptWords = 4 << 10

// newProcess prepares the start of the CLI. The caller must call started after
// it, and at the end either abandon the process or dismiss its guard.
func newProcess(cli string, log io.Writer) (*process, error) {
	if log == nil {
		log = io.Discard
	}
	p := &process{exited: make(chan struct{}), known: make(chan struct{}), log: log}
	var err error
	if p.launcher, err = newLauncher(cli); err != nil {
		return nil, err
	}
	if p.guard, err = newGuard(); err != nil {
		p.launcher.remove()
		return nil, fmt.Errorf("guard its process: %w", err)
	}
	outRead, errRead, err := p.openPipes()
	if err != nil {
		p.launcher.remove()
		p.guard.dismiss()
		return nil, err
	}
	p.path = p.launcher.path

	var output sync.WaitGroup
	output.Go(func() { p.readOutput(outRead) })
	output.Go(func() { p.readErrors(errRead) })
	go func() {
		output.Wait()
		close(p.exited)
	}()
	return p, nil
}

// readOutput takes the process id from the first line; the rest is the banner
// of the CLI.
func (p *process) readOutput(from *os.File) {
	defer from.Close()
	lines := bufio.NewReader(from)
	first, _ := lines.ReadString('\n')
	if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil {
		p.pid = pid
		p.guard.watch(pid)
		// The process holds the pipes by now, and ours would hide its end. The
		// lock is for the race detector, which doesn't know that who speaks has
		// been started.
		syscall.ForkLock.RLock()
		p.closePipes()
		syscall.ForkLock.RUnlock()
	}
	close(p.known)
	_, _ = io.Copy(io.Discard, lines)
}

func (p *process) readErrors(from *os.File) {
	defer from.Close()
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.mu.Lock()
			p.words = append(p.words, buffer[:n]...)
			p.words = bytes.Clone(p.words[max(0, len(p.words)-keptWords):])
			log := p.log
			p.mu.Unlock()
			// A log that can't be written must not stop the server.
			_, _ = log.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// mute ends the log. A server that is ending reports all that it can no longer
// do as errors.
func (p *process) mute() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = io.Discard
}

func (p *process) lastWords() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return lastLine(string(p.words))
}

// started is to be called when the SDK has tried to start the process.
func (p *process) started() {
	p.closePipes()
	<-p.known
	p.launcher.remove()
}

// openPipes opens both pipes or none, and returns the ends to read from.
func (p *process) openPipes() (stdout, stderr *os.File, err error) {
	if stdout, p.stdout, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	if stderr, p.stderr, err = os.Pipe(); err != nil {
		stdout.Close()
		p.stdout.Close()
		return nil, nil, err
	}
	return stdout, stderr, nil
}

func (p *process) closePipes() {
	p.stdout.Close()
	p.stderr.Close()
}

// kill ends the process by force. It may be called at any time after started.
func (p *process) kill() {
	select {
	case <-p.exited:
		// The id may be another process's by now.
		return
	default:
	}
	if p.pid > 0 {
		kill(p.pid)
	}
}

func (p *process) pause() error { return p.deliver(halt) }

func (p *process) resume() error { return p.deliver(goOn) }

// deliver has a signal reach the process if there is one.
func (p *process) deliver(signal func(pid int) error) error {
	select {
	case <-p.exited:
		return errEnded
	default:
	}
	if p.pid <= 0 {
		return errors.ErrUnsupported
	}
	return signal(p.pid)
}

// abandon ends a process that the SDK has started and then given up.
func (p *process) abandon() {
	p.kill()
	if process, err := os.FindProcess(p.pid); err == nil && p.pid > 0 {
		_, _ = process.Wait()
	}
	p.guard.dismiss()
}
