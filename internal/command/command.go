// Package command is what every lumaflow command shares with the shell: its
// streams, its exit codes and its errors of one plain line.
package command

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// The exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Streams are where a command reads and writes. Data goes to Out, everything
// said to a person to Err.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// IsTerminal reports whether w is a terminal. Colour and bars are for
// terminals only.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Usagef makes an error about what the user typed or set: a flag, an argument,
// an environment variable. It exits with ExitUsage.
func Usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// ExitCode maps the error of a command to its exit code.
func ExitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &usage):
		return ExitUsage
	default:
		return ExitFailed
	}
}
