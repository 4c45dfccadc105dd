//go:build unix

package devserver

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// guardScript reads a process id and waits for the end of its standard input, which
// comes when its owner has died. Then it kills the session of the process.
const guardScript = `read -r pid || exit
read -r _
kill -KILL "-$pid" 2>/dev/null || kill -KILL "$pid"
`

// guard kills the server when this process dies for any reason.
type guard struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func newGuard() (guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	cmd.SysProcAttr = ownSession()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return guard{}, err
	}
	if err := cmd.Start(); err != nil {
		_ = stdin.Close()
		return guard{}, err
	}
	return guard{cmd: cmd, stdin: stdin}, nil
}

func (g guard) watch(pid int) { _, _ = fmt.Fprintln(g.stdin, pid) }

// gateScript waits for a line on its standard input and becomes the program in its
// arguments. Without the line it ends.
const gateScript = `read -r _ || exit
exec "$0" "$@" </dev/null
`

// gated starts a program that waits until release: an owner that dies before the
// guard has the process id leaves no process.
func gated(cmd *exec.Cmd) (release func(), err error) {
	cmd.Args = append([]string{"/bin/sh", "-c", gateScript, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	gate, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	release = func() {
		_, _ = fmt.Fprintln(gate)
		_ = gate.Close()
	}
	return release, cmd.Start()
}

// dismiss ends the guard, which then kills nothing.
func (g guard) dismiss() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	_ = g.stdin.Close()
}

func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func (p *process) interrupt() { _ = p.cmd.Process.Signal(syscall.SIGINT) }

func (p *process) kill() { _ = p.signal(syscall.SIGKILL) }

func (p *process) pause() error { return p.signal(syscall.SIGSTOP) }

func (p *process) resume() error { return p.signal(syscall.SIGCONT) }

// signal signals the session of the process, because Temporal's CLI may be a script
// that runs the binary as a child.
func (p *process) signal(signal syscall.Signal) error {
	select {
	case <-p.exited:
		return errEnded
	default:
		return syscall.Kill(-p.cmd.Process.Pid, signal)
	}
}

// trusted reports whether only this user and root can have written the file.
func trusted(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && (owner.Uid == 0 || int(owner.Uid) == os.Geteuid())
}
