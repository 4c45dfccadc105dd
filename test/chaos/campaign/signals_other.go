//go:build !unix

package campaign

import (
	"errors"
	"os"
	"os/exec"
)

func detach(*exec.Cmd) {}

func halt(*os.Process) error { return errors.ErrUnsupported }

func goOn(*os.Process) error { return errors.ErrUnsupported }
