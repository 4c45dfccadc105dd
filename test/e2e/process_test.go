package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"lumaflow/test/supervisor"
)

// patience bounds every wait for an expected event.
const patience = 90 * time.Second

// process is a running lumaflow.
type process struct {
	t       testing.TB
	name    string
	cmd     *exec.Cmd
	running *supervisor.Process
}

// start runs the lumaflow binary until the end of the test at the latest. The
// output of a failed test's processes is logged.
func start(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = env
	return startCommand(t, args[0], cmd)
}

func startCommand(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "output"))
	require.NoError(t, err)
	defer log.Close()
	running, err := supervisor.Start(name, cmd, log)
	require.NoError(t, err)
	p := &process{t: t, name: name, cmd: cmd, running: running}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, p.output())
		}
	})
	return p
}

// output is everything that the process has written to its standard streams.
func (p *process) output() string {
	p.t.Helper()
	output, err := p.running.Output()
	require.NoError(p.t, err)
	return output
}

// awaitOutput waits until the output matches an expression and returns the match
// of its last group, or the whole match if it has none.
func (p *process) awaitOutput(expression string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := p.running.Await(ctx, regexp.MustCompile(expression))
	require.NoError(p.t, err)
	return found[len(found)-1]
}

// signal sends a signal to the process, which must be running.
func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.running.Signal(sig))
}

// kill sends SIGKILL and waits for the end. A process that has ended already is
// no error.
func (p *process) kill() { p.running.Kill() }

// stop sends SIGTERM and returns the exit code.
func (p *process) stop() int {
	p.t.Helper()
	require.NoError(p.t, p.running.Stop(patience))
	return p.exitCode()
}

// exitCode waits for the end of the process and returns its exit code.
func (p *process) exitCode() int { return p.running.ExitCode() }
