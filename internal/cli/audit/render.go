package audit

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store/audit"
)

// write prints a report as a table, one line for each finding, and a conclusion.
func write(out io.Writer, r audit.Report) error {
	var rows []terminal.Row
	for _, finding := range slices.Concat(r.Problems, r.Notes) {
		rows = append(rows, terminal.Row{Cells: []string{
			string(finding.Kind), oneline.Clean(finding.File), cmp.Or(oneline.Clean(finding.TaskID), "-"), oneline.Clean(finding.Detail),
		}})
	}
	if len(rows) > 0 {
		if err := terminal.WriteTable(out, []string{"FOUND", "FILE", "TASK", "DETAIL"}, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, conclusion(r))
	return err
}

func conclusion(r audit.Report) string {
	switch {
	case !r.Complete:
		return "looked at " + extent(r) + " before it ended"
	case r.Receipts == 0 && len(r.Problems) == 0:
		return "there are no receipts: nothing was audited"
	case len(r.Problems) > 0:
		return "audited " + extent(r)
	default:
		return "audited " + extent(r) + ": all is as it was stored"
	}
}

// extent is the amount of audited data.
func extent(r audit.Report) string {
	return fmt.Sprintf("%s and %s (%s)", english.Plural(r.Receipts, "receipt", ""), english.Plural(r.Files, "file", ""), humanize.Bytes(uint64(r.Bytes)))
}

// kinds counts the problems by kind, such as "2 missing, 1 changed".
func kinds(r audit.Report) string {
	if len(r.Problems) == 0 {
		return "no problem"
	}
	numbers := map[audit.Kind]int{}
	for _, problem := range r.Problems {
		numbers[problem.Kind]++
	}
	var words []string
	for _, kind := range slices.Sorted(maps.Keys(numbers)) {
		words = append(words, fmt.Sprintf("%d %s", numbers[kind], kind))
	}
	return english.Plural(len(r.Problems), "problem", "") + ": " + strings.Join(words, ", ")
}

// summary is the text before the bar.
func summary(p audit.Progress) string {
	words := fmt.Sprintf("%d of %d receipts", p.Receipts, p.AllReceipts)
	if p.AllBytes > 0 {
		words = humanize.Bytes(uint64(p.Bytes)) + " of " + humanize.Bytes(uint64(p.AllBytes))
	}
	if p.Problems > 0 {
		words += ", " + english.Plural(p.Problems, "problem", "")
	}
	return words
}
