//go:build unix

package devserver

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// launchScript says its process id and then becomes the dev server, which
// thereby has that id. In a session of its own it does not get the Ctrl-C that
// is meant for the program that started it, and which still needs it to stop in
// good order.
const launchScript = `#!/bin/sh
echo $$
if command -v setsid >/dev/null; then
	exec setsid %[1]s "$@"
fi
exec %[1]s "$@"
`

// guardScript is told a process id and then waits for its standard input to
// end, as it does when the process at the other end is gone. Then it does what
// kill does.
const guardScript = `read -r pid || exit
read -r _
kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid"
`

// launcher is a script in a folder of its own: the SDK takes the path of an
// executable and no more.
type launcher struct{ path string }

func newLauncher(cli string) (launcher, error) {
	folder, err := os.MkdirTemp("", "lumaflow-devserver-*")
	if err != nil {
		return launcher{}, err
	}
	l := launcher{path: filepath.Join(folder, "temporal")}
	script := fmt.Sprintf(launchScript, "'"+strings.ReplaceAll(cli, "'", `'\''`)+"'")

	// A child forked while the script is open for writing would inherit that,
	// and the system refuses to execute such a file ("text file busy").
	syscall.ForkLock.RLock()
	err = os.WriteFile(l.path, []byte(script), 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		l.remove()
		return launcher{}, err
	}
	return l, nil
}

func (l launcher) remove() { _ = os.RemoveAll(filepath.Dir(l.path)) }

// guard ends the server when this process dies, by whatever means.
type guard struct {
	cmd  *exec.Cmd
	rope io.WriteCloser
}

func newGuard() (guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	// Out of reach of Ctrl-C too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	rope, err := cmd.StdinPipe()
	if err != nil {
		return guard{}, err
	}
	if err := cmd.Start(); err != nil {
		rope.Close()
		return guard{}, err
	}
	return guard{cmd: cmd, rope: rope}, nil
}

// watch tells the guard which process it is that must not outlive this one.
func (g guard) watch(pid int) { _, _ = fmt.Fprintln(g.rope, pid) }

// dismiss ends the guard without letting it act.
func (g guard) dismiss() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.rope.Close()
}

func kill(pid int) { _ = signal(pid, syscall.SIGKILL) }

func halt(pid int) error { return signal(pid, syscall.SIGSTOP) }

func goOn(pid int) error { return signal(pid, syscall.SIGCONT) }

// signal reaches the session of the dev server, for the CLI may be a script that
// runs it as a child, or the process alone if it has no session of its own.
func signal(pid int, what syscall.Signal) error {
	if syscall.Kill(-pid, what) == nil {
		return nil
	}
	return syscall.Kill(pid, what)
}
