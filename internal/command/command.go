// Package command holds the conventions of every lumaflow command: streams, exit
// codes, logging, listening and the version.
package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The exit codes of every command.
const (
	ExitOK     = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// Streams are the standard streams of a command. Out is for data, Err for logs and
// messages.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// WriteJSON prints one value as indented JSON.
func WriteJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// Usagef returns an error about a flag, an argument or an environment variable. It
// exits with ExitUsage.
func Usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// ExitCode maps the error of a command to its exit code.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return ExitUsage
	}
	return ExitFailed
}
