// Package terminal writes for people: tables, wrapped texts and, on a terminal, the
// progress of a command.
package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Is reports whether out is a terminal.
func Is(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// widthOf returns the width of a terminal in columns, and 0 for everything else.
func widthOf(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	// The width is 0 after an error.
	width, _, _ := term.GetSize(int(file.Fd()))
	return width
}
