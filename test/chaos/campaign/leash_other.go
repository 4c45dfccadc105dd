//go:build !linux

package campaign

import "os/exec"

func leash(*exec.Cmd) {}
