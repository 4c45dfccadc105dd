// Package syscalltest runs a test program under strace: it records the system calls of
// the program and makes some of them fail.
package syscalltest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Errors are those of a disk that is broken, full or read-only.
func Errors() []string { return []string{"EIO", "ENOSPC", "EDQUOT", "EROFS"} }

// traced are the system calls that are recorded: those on files, as Go makes them.
const traced = "read,pread64,fadvise64,write,pwrite64,ftruncate,fsync,renameat,renameat2,linkat,unlinkat"

// Call is one finished system call. Descriptors in Arguments are followed by their
// path, as in 5</tmp/a>.
type Call struct {
	Name, Arguments, Result string
	// Begin and End order the beginnings and the ends of all calls.
	Begin, End int
}

// Failure makes calls fail.
type Failure struct {
	// Call is the name of the system call, Error the errno.
	Call, Error string
	// Path limits it to calls with this path, empty means all.
	Path string
	// When is the number of the call, from 1, and "2+" all from the second; empty
	// means all.
	When string
	// Kill ends the process with SIGKILL at the failing call.
	Kill bool
}

// Run is a finished program.
type Run struct {
	Calls []Call
	// Output is its standard output and error.
	Output string
	// Err is that of its exit code.
	Err error
}

// usable returns the reason why strace can't be used, or an empty string.
var usable = sync.OnceValue(func() string {
	path, err := exec.LookPath("strace")
	if err != nil {
		return "strace is not installed"
	}
	if output, err := exec.Command(path, "-f", "-o", os.DevNull, "-e", "trace=none", "true").CombinedOutput(); err != nil { //nolint:noctx // It ends at once.
		return "strace can't trace here: " + strings.TrimSpace(string(output))
	}
	return ""
})

// Require skips a test if strace is missing or may not trace.
func Require(t testing.TB) {
	t.Helper()
	if reason := usable(); reason != "" {
		t.Skip("the system calls are not watched: ", reason)
	}
}

// Start runs the test program again with an environment, under strace. Its code must
// lock the goroutine that makes the calls to its thread: strace counts the calls of
// each thread.
func Start(t testing.TB, failure Failure, env ...string) Run {
	t.Helper()
	Require(t)
	record := filepath.Join(t.TempDir(), "calls")
	program := exec.CommandContext(t.Context(), "strace", append(failure.arguments(record), os.Args[0])...)
	program.Env = append(os.Environ(), env...)
	output, err := program.CombinedOutput()
	return Run{Calls: failure.read(t, record), Output: string(output), Err: err}
}

// Attach watches a running process until the caller detaches, or the test ends.
func Attach(t testing.TB, pid int, failure Failure) (detach func() Run) {
	t.Helper()
	Require(t)
	record := filepath.Join(t.TempDir(), "calls")
	strace := exec.CommandContext(t.Context(), "strace", append(failure.arguments(record), "-p", strconv.Itoa(pid))...)
	// Without SIGTERM the process would stay stopped.
	strace.Cancel = func() error { return strace.Process.Signal(syscall.SIGTERM) }
	stderr, err := strace.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, strace.Start())
	lines := bufio.NewScanner(stderr)
	var output []string
	attached := false
	for !attached && lines.Scan() {
		output = append(output, lines.Text())
		attached = strings.Contains(lines.Text(), "attached")
	}
	if !attached {
		_ = strace.Wait()
		t.Skip("the system calls are not watched: ", strings.Join(output, "\n"))
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	return func() Run {
		t.Helper()
		require.NoError(t, strace.Cancel())
		<-drained
		// It ends by the signal.
		_ = strace.Wait()
		return Run{Calls: failure.read(t, record)}
	}
}

// read returns the calls of a record, which must have the failure.
func (f Failure) read(t testing.TB, record string) []Call {
	t.Helper()
	text, err := os.ReadFile(record)
	require.NoError(t, err)
	if f != (Failure{}) {
		// The end of a call that kills the process is not recorded.
		require.Regexp(t, `\(INJECTED\)|\) += \?`, string(text), "no call has failed")
	}
	return parse(string(text))
}

// arguments are the options of strace.
func (f Failure) arguments(record string) []string {
	common := []string{"-f", "-y", "-s", "0", "-e", "signal=none", "-o", record}
	if f == (Failure{}) {
		return append(common, "-e", "trace="+traced)
	}
	inject := "inject=" + f.Call + ":error=" + f.Error
	if f.When != "" {
		inject += ":when=" + f.When
	}
	if f.Kill {
		inject += ":signal=KILL"
	}
	if f.Path != "" {
		common = append(common, "-P", f.Path)
	}
	return append(common, "-e", "trace="+f.Call, "-e", inject)
}

var (
	whole      = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (.*)$`)
	unfinished = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	resumed    = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)$`)
)

func parse(text string) []Call {
	var calls []Call
	// open is the unfinished call of each thread.
	open := map[string]Call{}
	for at, line := range strings.Split(text, "\n") {
		if part := whole.FindStringSubmatch(line); part != nil {
			calls = append(calls, Call{Name: part[2], Arguments: part[3], Result: part[4], Begin: at, End: at})
		} else if part := unfinished.FindStringSubmatch(line); part != nil {
			open[part[1]] = Call{Name: part[2], Arguments: part[3], Begin: at}
		} else if part := resumed.FindStringSubmatch(line); part != nil {
			call := open[part[1]]
			call.Arguments += part[3]
			call.Result, call.End = part[4], at
			calls = append(calls, call)
		}
	}
	return calls
}

// Step is a kind of call in an order of them: Name is its name, and each of Paths
// occurs in its arguments.
type Step struct {
	Name  string
	Paths []string
}

// InOrder requires that calls of each step occur, and that all calls of a step have
// succeeded and ended before the first of the next step begins. It returns the calls
// of each step.
func (r Run) InOrder(t testing.TB, steps ...Step) [][]Call {
	t.Helper()
	found := make([][]Call, len(steps))
	for i, step := range steps {
		for _, call := range r.Calls {
			if call.Is(step) {
				require.NotContains(t, call.Result, "-1 ", "%s fails", call.Name)
				found[i] = append(found[i], call)
			}
		}
		require.NotEmpty(t, found[i], "no %s with %v in %+v", step.Name, step.Paths, r.Calls)
		if i > 0 {
			before := found[i-1][len(found[i-1])-1]
			require.Less(t, before.End, found[i][0].Begin, "%s%v comes before %s%v", found[i][0].Name, step.Paths, before.Name, steps[i-1].Paths)
		}
	}
	return found
}

// Is reports whether a call is one of the step.
func (c Call) Is(step Step) bool {
	for _, path := range step.Paths {
		if !strings.Contains(c.Arguments, path) {
			return false
		}
	}
	return c.Name == step.Name
}
