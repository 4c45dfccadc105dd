package e2e_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait for something that ought to happen.
const patience = 90 * time.Second

// process is a running lumaflow and what it has said.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done chan struct{}

	mu    sync.Mutex
	lines []string
	said  chan struct{}
}

// start runs the real binary; it is gone when the test is over.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: args[0], cmd: exec.Command(binary, args...), done: make(chan struct{}), said: make(chan struct{}, 1)}
	p.cmd.Env = env
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	require.NoError(t, p.cmd.Start())
	writer.Close()
	go p.listen(reader)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.output())
		}
	})
	return p
}

func (p *process) listen(from io.ReadCloser) {
	defer close(p.done)
	defer from.Close()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		p.mu.Unlock()
		select {
		case p.said <- struct{}{}:
		default:
		}
	}
	// The exit code is asked for by those who care.
	_ = p.cmd.Wait()
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// says waits for a line and returns what the expression's first group, if it
// has one, found in it.
func (p *process) says(expression string) string {
	p.t.Helper()
	pattern := regexp.MustCompile(expression)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		if found := pattern.FindStringSubmatch(p.output()); found != nil {
			return found[len(found)-1]
		}
		select {
		case <-p.said:
		case <-p.done:
			require.Regexp(p.t, expression, p.output(), "%s ended without saying it", p.name)
		case <-limit.C:
			require.Regexp(p.t, expression, p.output(), "%s did not say it in time", p.name)
		}
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	// It may be gone already.
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// stop asks the process to end and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(patience):
		require.Fail(p.t, "it does not stop", p.name)
	}
	return p.cmd.ProcessState.ExitCode()
}
