//go:build !linux

package supervisor

import "os/exec"

func leash(*exec.Cmd) {}
