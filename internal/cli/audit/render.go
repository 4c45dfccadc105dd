package audit

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/oneline"
	"lumaflow/internal/store/audit"
)

// write prints a report as a table, one line for each finding, and a conclusion.
func write(out io.Writer, r audit.Report) error {
	var rows strings.Builder
	if len(r.Problems)+len(r.Notes) > 0 {
		rows.WriteString("FOUND\tFILE\tTASK\tDETAIL\n")
	}
	for _, finding := range slices.Concat(r.Problems, r.Notes) {
		fmt.Fprintf(&rows, "%s\t%s\t%s\t%s\n", finding.Kind, oneline.Clean(finding.File),
			cmp.Or(oneline.Clean(finding.TaskID), "-"), oneline.Clean(finding.Detail))
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, rows.String()); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
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
	return fmt.Sprintf("%s and %s (%s)", count(r.Receipts, "receipt"), count(r.Files, "file"), humanize.Bytes(uint64(r.Bytes)))
}

// kinds counts the problems by kind, such as "2 missing, 1 changed".
func kinds(r audit.Report) string {
	if len(r.Problems) == 0 {
		return "no problem"
	}
	numbers := map[audit.Kind]int{}
	var order []audit.Kind
	for _, problem := range r.Problems {
		if numbers[problem.Kind]++; numbers[problem.Kind] == 1 {
			order = append(order, problem.Kind)
		}
	}
	slices.Sort(order)
	var words []string
	for _, kind := range order {
		words = append(words, fmt.Sprintf("%d %s", numbers[kind], kind))
	}
	return count(len(r.Problems), "problem") + ": " + strings.Join(words, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
