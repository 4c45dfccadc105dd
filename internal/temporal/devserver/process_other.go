//go:build !unix

package devserver

import (
	"errors"
	"os/exec"
	"syscall"
)

// guard does nothing here: the server outlives a killed owner.
type guard struct{}

func newGuard() (guard, error) { return guard{}, nil }

func (guard) watch(int) {}

func gated(cmd *exec.Cmd) (release func(), err error) { return func() {}, cmd.Start() }

func (guard) dismiss() {}

func ownSession() *syscall.SysProcAttr { return nil }

func (p *process) interrupt() { p.kill() }

func (p *process) kill() { _ = p.cmd.Process.Kill() }

func (p *process) pause() error { return errors.ErrUnsupported }

func (p *process) resume() error { return errors.ErrUnsupported }

// trusted is true: the temporary folder belongs to the user here.
func trusted(string) bool { return true }
