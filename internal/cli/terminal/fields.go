package terminal

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/mattn/go-runewidth"
)

// WriteFields writes labels and their texts in two columns. Texts that are too
// wide for a terminal continue in the next line.
func WriteFields(out io.Writer, fields [][2]string) error {
	indent := 0
	for _, field := range fields {
		indent = max(indent, len(field[0])+len(gap))
	}
	var text strings.Builder
	for _, field := range fields {
		fmt.Fprintf(&text, "%-*s%s\n", indent, field[0], wrap(field[1], indent, widthOf(out)))
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// unbroken matches the parts of a text that wrap keeps on one line, so that they can
// be copied: commands, up to a backtick, a semicolon or the end, and single words.
var unbroken = regexp.MustCompile("`[^`]+`\\S*|(?:lumaflow|temporal) [^;]*\\S*|\\S+")

// wrap breaks text into lines that end before width; 0 means one line. All begin at
// the column indent, which the caller has reached in the first one. A longer part,
// such as an address or a command, stays whole.
func wrap(text string, indent, width int) string {
	var wrapped strings.Builder
	column := indent
	for _, part := range unbroken.FindAllString(text, -1) {
		size := runewidth.StringWidth(part)
		switch {
		case column == indent:
		case width > 0 && column+1+size > width:
			wrapped.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			wrapped.WriteByte(' ')
			column++
		}
		wrapped.WriteString(part)
		column += size
	}
	return wrapped.String()
}
