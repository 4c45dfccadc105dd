//go:build !linux

package chaos

import "os/exec"

func leash(*exec.Cmd) {}
