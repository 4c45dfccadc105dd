//go:build unix

package campaign

import (
	"os"
	"os/exec"
	"syscall"
)

// detach keeps a process out of reach of the Ctrl-C that is meant for the
// campaign, which still needs it to stop in good order.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func halt(process *os.Process) error { return process.Signal(syscall.SIGSTOP) }

func goOn(process *os.Process) error { return process.Signal(syscall.SIGCONT) }
