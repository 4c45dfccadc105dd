//go:build unix

package supervisor_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"lumaflow/test/supervisor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell starts a shell script.
func shell(t *testing.T, script string) *supervisor.Process {
	t.Helper()
	log := newLog(t)
	defer log.Close()
	p, err := supervisor.Start("script", exec.Command("/bin/sh", "-c", script), log)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	return p
}

func newLog(t *testing.T) *os.File {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	return log
}

func TestAwait(t *testing.T) {
	p := shell(t, "echo ready at 7 >&2; exit 3")
	found, err := p.Await(t.Context(), regexp.MustCompile(`ready at (\d)`))
	require.NoError(t, err)
	require.Equal(t, "7", found[1])
	_, err = p.Await(t.Context(), regexp.MustCompile("listening"))
	require.ErrorContains(t, err, `script ended (exit status 3) without output that matches "listening"`)
	require.Equal(t, 3, p.ExitCode())

	silent := shell(t, "exec sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = silent.Await(ctx, regexp.MustCompile("ready"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestStop(t *testing.T) {
	draining := shell(t, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
	_, err := draining.Await(t.Context(), regexp.MustCompile("ready"))
	require.NoError(t, err)
	require.NoError(t, draining.Stop(time.Minute))
	require.Zero(t, draining.ExitCode())

	deaf := shell(t, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
	_, err = deaf.Await(t.Context(), regexp.MustCompile("ready"))
	require.NoError(t, err)
	require.ErrorIs(t, deaf.Stop(50*time.Millisecond), supervisor.ErrNotStopped)
	deaf.Kill()
	require.Equal(t, -1, deaf.ExitCode(), "ended by a signal")
	require.ErrorIs(t, deaf.Signal(os.Interrupt), os.ErrProcessDone)
}

func TestStartFails(t *testing.T) {
	log := newLog(t)
	defer log.Close()
	_, err := supervisor.Start("none", exec.Command(filepath.Join(t.TempDir(), "none")), log)
	require.ErrorContains(t, err, "start none: ")
}

// A service is restarted after a kill, and Await reads the output of the new
// process only.
func TestServiceRestarts(t *testing.T) {
	log := newLog(t)
	started := 0
	service := supervisor.StartService("service", log, func() *exec.Cmd {
		started++
		return exec.Command("/bin/sh", "-c", "trap 'exit 0' TERM; echo start $0; while :; do sleep 0.01; done", string(rune('0'+started)))
	})
	defer service.Abandon()
	require.NoError(t, service.Await(t.Context(), regexp.MustCompile("start 1")))
	first := service.PID()
	require.True(t, service.Kill(200*time.Millisecond))
	require.NoError(t, service.Await(t.Context(), regexp.MustCompile("start 2")))
	require.NotEqual(t, first, service.PID())
	output, err := service.Current().Output()
	require.NoError(t, err)
	require.NotContains(t, output, "start 1")

	resume, ok := service.Pause()
	require.True(t, ok)
	resume()
	require.NoError(t, service.Stop(time.Minute))
	require.Zero(t, service.PID())
	require.False(t, service.Kill(0))
	all, err := os.ReadFile(log.Name())
	require.NoError(t, err)
	require.Contains(t, string(all), "service ended (signal: killed), restart in 200ms")
}

func TestServiceStopReportsFailures(t *testing.T) {
	start := func(script string) *supervisor.Service {
		service := supervisor.StartService("service", newLog(t), func() *exec.Cmd { return exec.Command("/bin/sh", "-c", script) })
		t.Cleanup(service.Abandon)
		require.NoError(t, service.Await(t.Context(), regexp.MustCompile("ready")))
		return service
	}
	deaf := start("trap '' TERM; echo ready; while :; do sleep 0.01; done")
	require.ErrorIs(t, deaf.Stop(50*time.Millisecond), supervisor.ErrNotStopped)
	failing := start("trap 'exit 4' TERM; echo ready; while :; do sleep 0.01; done")
	require.ErrorContains(t, failing.Stop(time.Minute), "service ended with an error after SIGTERM: exit status 4")
}

func TestFreePort(t *testing.T) {
	first, err := supervisor.FreePort()
	require.NoError(t, err)
	second, err := supervisor.FreePort()
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}
