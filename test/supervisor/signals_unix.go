//go:build unix

package supervisor

import (
	"os"
	"os/exec"
	"syscall"
)

// detach puts the process into a group of its own, which a Ctrl-C in the
// terminal does not reach.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func pause(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }

func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
