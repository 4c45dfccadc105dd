//go:build unix

package devserver_test

import (
	"bufio"
	"context"
	"errors"
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

	"lumaflow/internal/temporal/devserver"
)

// becomeOwner in the environment makes the test binary a program that owns a
// dev server and gets killed.
const becomeOwner = "DEVSERVER_TEST_OWNER"

func TestMain(m *testing.M) {
	if os.Getenv(becomeOwner) != "" {
		own()
		return
	}
	os.Exit(m.Run())
}

// own starts a server and waits to be killed.
func own() {
	server, err := devserver.Start(context.Background(), devserver.Options{Log: os.Stderr})
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	println("at " + server.Address())
	select {}
}

// startOwner starts a program that owns a dev server, and returns the rest of
// its first line of output that starts with the given word.
func startOwner(t *testing.T, word string) (owner *exec.Cmd, rest string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	owner = exec.Command(self)
	owner.Env = append(os.Environ(), becomeOwner+"=1")
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

// requireEnd waits until the process is gone, or is waiting for whoever should
// have asked for its exit status.
func requireEnd(t *testing.T, pid string) {
	t.Helper()
	require.Eventually(t, func() bool {
		state, _ := exec.Command("/bin/ps", "-o", "stat=", "-p", pid).Output()
		return len(state) == 0 || state[0] == 'Z'
	}, 10*time.Second, 10*time.Millisecond)
}

// requireCLI finds Temporal's CLI, and skips the test where that may take a
// build and nobody wants to wait.
func requireCLI(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a real Temporal dev server")
	}
	_, err := devserver.Find(t.Context(), t.Output())
	require.NoError(t, err)
}

func answers(address string) bool {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}

func TestServer(t *testing.T) {
	requireCLI(t)
	options := devserver.Options{
		Namespace:         "studio",
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
	response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)

	_, port, err := net.SplitHostPort(server.Address())
	require.NoError(t, err)
	options.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
	created := describe(t, server)
	select {
	case <-server.Exited():
		t.Fatal("ended by itself")
	default:
	}
	server.Kill()
	<-server.Exited()
	assert.False(t, answers(server.Address()))

	// The same address, the same database, the same namespace.
	options.UI = false
	log := &lines{}
	options.Log = log
	again, err := devserver.Start(t.Context(), options)
	require.NoError(t, err)
	defer again.Stop()
	assert.Equal(t, server.Address(), again.Address())
	assert.Empty(t, again.UIURL())
	assert.Equal(t, created, describe(t, again), "namespace id")
	again.Stop()
	<-again.Exited()
	assert.False(t, answers(again.Address()))
	assert.NotContains(t, log.String(), "graceful_stop", "reported its own end")
	again.Stop()
}

// describe checks the namespace and its attributes, and returns its id.
func describe(t *testing.T, server *devserver.Server) string {
	t.Helper()
	namespace, err := server.Client().WorkflowService().DescribeNamespace(t.Context(),
		&workflowservice.DescribeNamespaceRequest{Namespace: "studio"})
	require.NoError(t, err)
	attributes, err := server.Client().OperatorService().ListSearchAttributes(t.Context(),
		&operatorservice.ListSearchAttributesRequest{Namespace: "studio"})
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

// TestGuard kills the owner of a process that stays silent: one that writes
// dies of that too, since nobody reads it any more.
func TestGuard(t *testing.T) {
	for name, script := range fakes(t) {
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

// fakes are programs that say the id of their innermost process and never
// become a server.
func fakes(t *testing.T) map[string]string {
	scripts := map[string]string{"the program itself": "echo pid $$ >&2; exec sleep 600"}
	if _, err := exec.LookPath("setsid"); err == nil {
		// Without it, the children of such a script can't be reached.
		scripts["a script around it"] = "sleep 600 & echo pid $! >&2; wait"
	} else {
		t.Log("there is no setsid on this machine")
	}
	return scripts
}

func TestStartQuotesTheLastWords(t *testing.T) {
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

// TestStartGivesUp starts a CLI that never becomes a server. It must be gone
// when Start has returned, with the children it may have.
func TestStartGivesUp(t *testing.T) {
	for name, script := range fakes(t) {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			t.Setenv("PATH", "/usr/bin:/bin")
			t.Setenv("TEMPORAL_CLI", m.program(filepath.Join(m.tmp, "it's temporal"), script))

			reason := errors.New("had enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			log := &lines{on: map[string]func(){"\n": func() { cancel(reason) }}}
			_, err := devserver.Start(ctx, devserver.Options{Log: log})
			require.ErrorIs(t, err, reason)
			requireEnd(t, strings.TrimSpace(strings.TrimPrefix(log.String(), "pid ")))
			remains, err := filepath.Glob(filepath.Join(m.tmp, "lumaflow-devserver-*"))
			require.NoError(t, err)
			assert.Empty(t, remains)
		})
	}
}

func TestStartOfWhatIsNoServer(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"says why":     {"echo >&2; echo 'no such command' >&2; echo >&2; exit 1", "temporal: it ended at once: no such command"},
		"says nothing": {"exit 1", "temporal: it ended at once: it said nothing"},
		"says a lot":   {"head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1", "temporal: it ended at once: xxx"},
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

func TestServersAtOnce(t *testing.T) {
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
