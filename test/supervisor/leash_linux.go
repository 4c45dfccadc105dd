package supervisor

import (
	"os/exec"
	"runtime"
	"syscall"
)

// leash has the kernel kill the process when this one dies, even by SIGKILL.
// Linux ties that to the thread that starts the process, so leash locks the
// calling goroutine to its thread; the goroutine must outlive the process.
func leash(cmd *exec.Cmd) {
	runtime.LockOSThread()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
