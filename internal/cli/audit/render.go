package audit

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store/audit"
)

// write prints a report as a table, one line for each finding, and a conclusion.
func write(out io.Writer, r audit.Report) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if len(r.Problems)+len(r.Notes) > 0 {
		_, _ = io.WriteString(table, "FOUND\tFILE\tTASK\tDETAIL\n")
	}
	for _, finding := range slices.Concat(r.Problems, r.Notes) {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", finding.Kind, oneline.Clean(finding.File),
			cmp.Or(oneline.Clean(finding.TaskID), "-"), oneline.Clean(finding.Detail))
	}
	_ = table.Flush() // a strings.Builder returns no errors
	_, err := fmt.Fprintln(out, text.String()+conclusion(r))
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

// display is a progress bar on a terminal; elsewhere it prints nothing.
type display struct {
	container *mpb.Progress
	bar       *mpb.Bar
	reached   atomic.Pointer[audit.Progress]
}

func newDisplay(out io.Writer) *display {
	if !command.IsTerminal(out) {
		return &display{}
	}
	return newBar(out)
}

func newBar(out io.Writer, options ...mpb.ContainerOption) *display {
	d := &display{container: mpb.New(append(options, mpb.WithOutput(out))...)}
	d.reached.Store(&audit.Progress{})
	d.bar = d.container.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return summary(*d.reached.Load()) + " " })),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1000(0), "% .1f"), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace)))
	return d
}

// update is safe for concurrent use.
func (d *display) update(reached audit.Progress) {
	if d.bar == nil {
		return
	}
	d.reached.Store(&reached)
	d.bar.SetTotal(reached.AllBytes, false)
	d.bar.SetCurrent(reached.Bytes)
}

// close removes the bar from the terminal.
func (d *display) close() {
	if d.bar != nil {
		d.bar.Abort(true)
		d.container.Wait()
	}
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
