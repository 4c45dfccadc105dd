//go:build unix

package devserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"lumaflow/internal/temporal/devserver"
)

// ownerVariable makes the test binary a program that starts a dev server and is then
// killed.
const ownerVariable = "DEVSERVER_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(ownerVariable) != "" {
		runOwner()
		return
	}
	os.Exit(m.Run())
}

// runOwner starts a server and blocks.
func runOwner() {
	server, err := devserver.Start(context.Background(), devserver.Options{Log: os.Stderr})
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	println("at " + server.Address())
	select {}
}

// startOwner starts a program that owns a dev server and returns the rest of the
// first output line with the given first word.
func startOwner(t *testing.T, word string) (owner *exec.Cmd, rest string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	owner = exec.Command(self)
	owner.Env = append(os.Environ(), ownerVariable+"=1")
	output, err := owner.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	t.Cleanup(func() {
		_ = owner.Process.Kill()
		_ = owner.Wait()
	})
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		if rest, ok := strings.CutPrefix(scanner.Text(), word+" "); ok {
			return owner, rest
		}
		t.Log(scanner.Text())
	}
	t.Fatalf("the owner ended without %q", word)
	return nil, ""
}

// requireEnd waits until the process has ended; a zombie counts.
func requireEnd(t *testing.T, pid string) {
	t.Helper()
	require.Eventually(t, func() bool {
		state, _ := exec.Command("/bin/ps", "-o", "stat=", "-p", pid).Output()
		return len(state) == 0 || state[0] == 'Z'
	}, time.Minute, 10*time.Millisecond)
}

// requireCLI finds or builds Temporal's CLI; -short skips the test.
func requireCLI(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a real Temporal dev server")
	}
	_, err := devserver.Find(t.Context(), t.Output())
	require.NoError(t, err)
}

func answers(address string) bool {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

func TestServer(t *testing.T) {
	requireCLI(t)
	options := devserver.Options{
		UI:                true,
		DatabaseFile:      filepath.Join(t.TempDir(), "temporal.db"),
		KeywordAttributes: []string{"First", "Second"},
		Log:               t.Output(),
	}
	server, err := devserver.Start(t.Context(), options)
	require.NoError(t, err)
	defer server.Stop()

	response, err := http.Get(server.UIURL())
	require.NoError(t, err)
	_ = response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)

	_, port, err := net.SplitHostPort(server.Address())
	require.NoError(t, err)
	options.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	created := describe(t, server)
	select {
	case <-server.Exited():
		t.Fatal("the server ended")
	default:
	}
	server.Kill()
	<-server.Exited()
	assert.False(t, answers(server.Address()))

	// A restart keeps the address, the database and the namespace.
	options.UI = false
	log := &lines{}
	options.Log = log
	second, err := devserver.Start(t.Context(), options)
	require.NoError(t, err)
	defer second.Stop()
	assert.Equal(t, server.Address(), second.Address())
	assert.Empty(t, second.UIURL())
	assert.Equal(t, created, describe(t, second), "namespace id")
	second.Stop()
	<-second.Exited()
	assert.False(t, answers(second.Address()))
	assert.NotContains(t, log.String(), "graceful_stop", "the log ends with Stop")
	second.Stop()
}

// describe checks the namespace's attributes and returns its id.
func describe(t *testing.T, server *devserver.Server) string {
	t.Helper()
	namespace, err := server.Client().WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: client.DefaultNamespace})
	require.NoError(t, err)
	attributes, err := server.Client().OperatorService().ListSearchAttributes(t.Context(),
		&operatorservice.ListSearchAttributesRequest{Namespace: client.DefaultNamespace})
	require.NoError(t, err)
	for _, name := range []string{"First", "Second"} {
		assert.Equal(t, enums.INDEXED_VALUE_TYPE_KEYWORD, attributes.GetCustomAttributes()[name], name)
	}
	return namespace.GetNamespaceInfo().GetId()
}

func TestServerDiesWithItsOwner(t *testing.T) {
	requireCLI(t)
	owner, address := startOwner(t, "at")
	require.True(t, answers(address))
	require.NoError(t, owner.Process.Kill())
	require.Eventually(t, func() bool { return !answers(address) }, 30*time.Second, 20*time.Millisecond)
}

// TestGuard kills the owner of a process that writes nothing: a writing one would
// end by SIGPIPE.
func TestGuard(t *testing.T) {
	for name, script := range fakes {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			t.Setenv("PATH", "/usr/bin:/bin")
			t.Setenv("TEMPORAL_CLI", m.program(filepath.Join(m.tmp, "temporal"), script))
			owner, pid := startOwner(t, "pid")
			require.NoError(t, owner.Process.Kill())
			requireEnd(t, pid)
		})
	}
}

// fakes are programs that print the id of their innermost process and never become
// a server.
var fakes = map[string]string{
	"binary": "echo pid $$ >&2; exec sleep 600",
	"script": "sleep 600 & echo pid $! >&2; wait",
}

// A server that ends at once, because another process has taken its free port, is started
// on another one.
func TestFreePortIsTaken(t *testing.T) {
	requireCLI(t)
	cli, err := devserver.Find(t.Context(), nil)
	require.NoError(t, err)
	m := newMachine(t)
	tried := filepath.Join(m.tmp, "tried")
	t.Setenv("TEMPORAL_CLI", m.program(filepath.Join(m.tmp, "temporal"),
		fmt.Sprintf("[ ! -e %[1]q ] || exec %[2]q \"$@\"; : >%[1]q; echo 'bind: address already in use' >&2; exit 1", tried, cli)))
	server, err := devserver.Start(t.Context(), devserver.Options{})
	require.NoError(t, err)
	require.FileExists(t, tried)
	server.Stop()
}

func TestStartErrorHasTheLastLine(t *testing.T) {
	requireCLI(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	for name, options := range map[string]devserver.Options{
		"port taken":    {Port: port},
		"UI port taken": {UI: true, UIPort: port},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := devserver.Start(t.Context(), options)
			require.ErrorContains(t, err, "it ended at once: ")
			require.ErrorContains(t, err, "port "+strconv.Itoa(port))
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// A CLI that never becomes a server has ended, with its children, when Start
// returns.
func TestStartStopsWithItsContext(t *testing.T) {
	for name, script := range fakes {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			t.Setenv("PATH", "/usr/bin:/bin")
			t.Setenv("TEMPORAL_CLI", m.program(filepath.Join(m.tmp, "it's temporal"), script))

			reason := errors.New("cancelled by the test")
			ctx, cancel := context.WithCancelCause(t.Context())
			log := &lines{on: map[string]func(){"\n": func() { cancel(reason) }}}
			_, err := devserver.Start(ctx, devserver.Options{Log: log})
			require.ErrorIs(t, err, reason)
			requireEnd(t, strings.TrimSpace(strings.TrimPrefix(log.String(), "pid ")))
			remains, err := os.ReadDir(m.tmp)
			require.NoError(t, err)
			assert.Len(t, remains, 1, "only the CLI itself")
		})
	}
}

func TestStartOfAnotherProgram(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"error text":  {"echo >&2; echo 'no such command' >&2; echo >&2; exit 1", "temporal: it ended at once: no such command"},
		"no output":   {"exit 1", "temporal: it ended at once: no output"},
		"long output": {"head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1", "temporal: it ended at once: xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			t.Setenv("PATH", "/usr/bin:/bin")
			t.Setenv("TEMPORAL_CLI", m.program(filepath.Join(m.tmp, "temporal"), c.script))
			_, err := devserver.Start(t.Context(), devserver.Options{UI: true})
			require.ErrorContains(t, err, c.want)
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestConcurrentServers(t *testing.T) {
	requireCLI(t)
	var servers sync.WaitGroup
	for range 2 {
		servers.Go(func() {
			server, err := devserver.Start(t.Context(), devserver.Options{UI: true})
			if assert.NoError(t, err) {
				server.Stop()
			}
		})
	}
	servers.Wait()
}
