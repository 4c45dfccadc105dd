package terminal

import (
	"cmp"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

const (
	// defaultWidth is the width, in columns, of tables where there is no terminal.
	defaultWidth = 100
	// minWidth is the least width, in columns, to which a table shortens a column.
	minWidth = 12
	// gap separates the columns of a table.
	gap = "  "
)

// shortened are the titles of the columns that a table shortens when it is too wide,
// in groups: a group is shortened after all columns of the groups before it have the
// least width.
var shortened = [][]string{{"JOB", "TASK"}, {"FILE", "DETAIL"}}

// longID matches an id inside a file name or a sentence.
var longID = regexp.MustCompile(`([0-9A-Za-z]{4})[0-9A-Za-z]{12,}([0-9A-Za-z]{4})`)

// Row is one line of a table. The lines below it are indented and belong to no
// column.
type Row struct {
	Cells []string
	Below []string
}

// WriteTable writes a table that fits the width of out, or 100 columns where out is
// no terminal. In a table that is too wide, ids inside the texts of FILE and DETAIL
// lose their middle first, then the columns JOB, TASK, FILE and DETAIL theirs. A too
// long line below a row loses its beginning.
func WriteTable(out io.Writer, titles []string, rows []Row) error {
	width := cmp.Or(widthOf(out), defaultWidth)
	lines := append([]Row{{Cells: titles}}, rows...)
	columns := columnWidths(lines)
	if tableWidth(columns) > width {
		shortenIDs(lines)
		columns = columnWidths(lines)
		fit(columns, titles, width)
	}
	var text strings.Builder
	for _, line := range lines {
		for i, cell := range line.Cells {
			cell = Shorten(cell, columns[i])
			if i < len(line.Cells)-1 {
				cell = runewidth.FillRight(cell, columns[i]) + gap
			}
			text.WriteString(cell)
		}
		text.WriteByte('\n')
		for _, below := range line.Below {
			if excess := runewidth.StringWidth(gap+below) - width; excess > 0 {
				below = runewidth.TruncateLeft(below, excess+1, "…")
			}
			text.WriteString(gap + below + "\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// shortenIDs shortens the ids inside the cells of FILE and DETAIL. The first line has
// the titles.
func shortenIDs(lines []Row) {
	for n, line := range lines {
		cells := slices.Clone(line.Cells)
		for i, title := range lines[0].Cells {
			if title == "FILE" || title == "DETAIL" {
				cells[i] = longID.ReplaceAllString(cells[i], "$1…$2")
			}
		}
		lines[n].Cells = cells
	}
}

// columnWidths returns the width of the widest cell of each column.
func columnWidths(lines []Row) []int {
	columns := make([]int, len(lines[0].Cells))
	for _, line := range lines {
		for i, cell := range line.Cells {
			columns[i] = max(columns[i], runewidth.StringWidth(cell))
		}
	}
	return columns
}

func tableWidth(columns []int) int {
	total := len(gap) * (len(columns) - 1)
	for _, column := range columns {
		total += column
	}
	return total
}

// fit takes the columns of each group, the widest first, down to minWidth until the
// table fits the width.
func fit(columns []int, titles []string, width int) {
	excess := tableWidth(columns) - width
	for _, group := range shortened {
		for ; excess > 0; excess-- {
			widest := -1
			for i, title := range titles {
				if slices.Contains(group, title) && columns[i] > minWidth && (widest < 0 || columns[i] > columns[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			columns[widest]--
		}
	}
}

// Shorten replaces the middle of text by an ellipsis if it is wider than width.
func Shorten(text string, width int) string {
	all := runewidth.StringWidth(text)
	if all <= width {
		return text
	}
	tail := (width - 1) / 2
	return runewidth.Truncate(text, width-1-tail, "") + "…" + runewidth.TruncateLeft(text, all-tail, "")
}
