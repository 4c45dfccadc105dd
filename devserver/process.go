package devserver

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
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
	known    chan struct{} // closed when pid, guard and err are set
	pid      int           // zero if there is none to be known
	guard    guard
	err      error

	mu    sync.Mutex
	log   io.Writer
	words []byte // the end of what the server wrote to stderr
}

// keptWords is how much of the server's output an error can quote from.
const keptWords = 4 << 10

// newProcess prepares the start of the CLI. The caller must call started after
// it, and at the end either abandon the process or dismiss its guard.
func newProcess(cli string, log io.Writer) (*process, error) {
	launcher, err := newLauncher(cli)
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		launcher.remove()
		return nil, err
	}
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		launcher.remove()
		outRead.Close()
		outWrite.Close()
		return nil, err
	}
	if log == nil {
		log = io.Discard
	}
	p := &process{
		path: launcher.path, stdout: outWrite, stderr: errWrite,
		exited: make(chan struct{}), known: make(chan struct{}),
		launcher: launcher, log: log,
	}
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
		p.guard, p.err = newGuard(pid)
		// The process holds these by now. Ours would hide its end.
		p.closePipes()
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

// started is to be called when the SDK has tried to start the process. Its
// error is that of the guard.
func (p *process) started() error {
	p.closePipes()
	<-p.known
	p.launcher.remove()
	if p.err != nil {
		return fmt.Errorf("guard its process: %w", p.err)
	}
	return nil
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

// abandon ends a process that the SDK has started and then given up.
func (p *process) abandon() {
	p.kill()
	if process, err := os.FindProcess(p.pid); err == nil && p.pid > 0 {
		_, _ = process.Wait()
	}
	p.guard.dismiss()
}
