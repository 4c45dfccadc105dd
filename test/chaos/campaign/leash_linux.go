package campaign

import (
	"os/exec"
	"runtime"
	"syscall"
)

// leash ends a process when this one dies, even by SIGKILL. Linux ties that to
// the thread that starts the process, so the goroutine that calls leash keeps
// its thread and must live as long as the process does.
func leash(cmd *exec.Cmd) {
	runtime.LockOSThread()
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
