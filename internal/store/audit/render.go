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
)

// write prints a report for people: a line for each finding, and how much was
// looked at.
func (r Report) write(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(r.Problems)+len(r.Notes) > 0 {
		fmt.Fprintln(table, "FOUND\tFILE\tTASK\tDETAIL")
	}
	for _, finding := range slices.Concat(r.Problems, r.Notes) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", finding.Kind, oneline.Clean(finding.File),
			cmp.Or(oneline.Clean(finding.TaskID), "-"), oneline.Clean(finding.Detail))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, r.conclusion())
	return err
}

func (r Report) conclusion() string {
	switch {
	case !r.Complete:
		return "looked at " + r.extent() + " before it ended"
	case r.Receipts == 0 && len(r.Problems) == 0:
		return "there are no receipts: nothing was audited"
	case len(r.Problems) > 0:
		return "audited " + r.extent()
	default:
		return "audited " + r.extent() + ": all is as it was stored"
	}
}

// extent is how much was looked at.
func (r Report) extent() string {
	return fmt.Sprintf("%s and %s (%s)", count(r.Receipts, "receipt"), count(r.Files, "file"), humanize.Bytes(uint64(r.Bytes)))
}

// kinds are the problems by kind, such as "2 missing, 1 changed".
func (r Report) kinds() string {
	if len(r.Problems) == 0 {
		return "no problem"
	}
	numbers := map[Kind]int{}
	var order []Kind
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
