package jobs

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

const (
	// defaultWidth is the width, in columns, of tables where there is no terminal.
	defaultWidth = 100
	// minID is the least width, in columns, to which a table shortens ids.
	minID = 12
	// gap separates the columns of a table.
	gap = "  "
)

// idColumns are the columns that a table shortens when it is too wide.
var idColumns = []string{"JOB", "TASK"}

// row is one line of a table. The lines below it are indented and belong to no
// column.
type row struct {
	cells []string
	below []string
}

// terminalWidth returns the width of a terminal, and 0 for everything else.
func terminalWidth(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	// The width is 0 after an error.
	width, _, _ := term.GetSize(int(file.Fd()))
	return width
}

// writeTable writes a table that fits the width of out: too long ids lose their
// middle, too long lines below a row their beginning. --json has them whole.
func writeTable(out io.Writer, titles []string, rows []row) error {
	width := cmp.Or(terminalWidth(out), defaultWidth)
	columns := columnWidths(titles, rows, width)
	var text strings.Builder
	for _, line := range append([]row{{cells: titles}}, rows...) {
		for i, cell := range line.cells {
			cell = shorten(cell, columns[i])
			if i < len(line.cells)-1 {
				cell = runewidth.FillRight(cell, columns[i]) + gap
			}
			text.WriteString(cell)
		}
		text.WriteByte('\n')
		for _, below := range line.below {
			if excess := runewidth.StringWidth(gap+below) - width; excess > 0 {
				below = runewidth.TruncateLeft(below, excess+1, "…")
			}
			text.WriteString(gap + below + "\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// columnWidths takes the columns of ids, the widest first, down to minID until
// the table fits the width.
func columnWidths(titles []string, rows []row, width int) []int {
	columns := make([]int, len(titles))
	total := len(gap) * (len(titles) - 1)
	for i, title := range titles {
		columns[i] = runewidth.StringWidth(title)
		for _, line := range rows {
			columns[i] = max(columns[i], runewidth.StringWidth(line.cells[i]))
		}
		total += columns[i]
	}
	for ; total > width; total-- {
		widest := -1
		for i, title := range titles {
			if slices.Contains(idColumns, title) && columns[i] > minID && (widest < 0 || columns[i] > columns[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		columns[widest]--
	}
	return columns
}

// shorten replaces the middle of text by an ellipsis if it is wider than width.
func shorten(text string, width int) string {
	all := runewidth.StringWidth(text)
	if all <= width {
		return text
	}
	tail := (width - 1) / 2
	return runewidth.Truncate(text, width-1-tail, "") + "…" + runewidth.TruncateLeft(text, all-tail, "")
}

// writeFields writes labels and their texts in two columns. Texts that are too
// wide for a terminal continue in the next line.
func writeFields(out io.Writer, fields [][2]string) error {
	indent := 0
	for _, field := range fields {
		indent = max(indent, len(field[0])+len(gap))
	}
	var text strings.Builder
	for _, field := range fields {
		fmt.Fprintf(&text, "%-*s%s\n", indent, field[0], wrap(field[1], indent, terminalWidth(out)))
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
