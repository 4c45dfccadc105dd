package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print prints the outcomes, the bill and the locations. A failed print does not
// change the result of the demo.
func (s *system) print(w io.Writer, outcomes []*outcome) {
	table, verified := renderTable(outcomes)
	folder := s.output
	for _, o := range outcomes {
		if o.err == nil {
			folder, _ = split(o.report.Result.Videos[0].Location)
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s\n%d jobs, %d charges, %d verified files.\n", table, len(outcomes), s.kie.Ledger().Charges, verified)
	fmt.Fprintf(&text, "Files:       %s\n", folder)
	if s.keep {
		fmt.Fprintf(&text, "Temporal UI: %s\n", s.server.UIURL())
		fmt.Fprintf(&text, "The bill:    %s/_sim/ledger\n", s.kieURL)
		fmt.Fprintf(&text, "All jobs:    TEMPORAL_ADDRESS=%s lumaflow list\n", s.server.Address())
		if s.encrypted {
			fmt.Fprintf(&text, "Encrypted:   lumaflow codec-server --codec-origin %s lets the UI decrypt\n", s.server.UIURL())
		}
	} else {
		fmt.Fprintf(&text, "Temporal UI: %s (it ends with the demo; --keep stays up)\n", s.server.UIURL())
	}
	_, _ = io.WriteString(w, text.String())
}

// renderTable renders a line for each outcome, at most 100 columns wide, and counts
// the verified files.
func renderTable(outcomes []*outcome) (table string, verified int) {
	var text strings.Builder
	aligned := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	// A strings.Builder returns no errors.
	_, _ = io.WriteString(aligned, "JOB\tPROBLEM\tRECOVERY\tFILE\tSIZE\n")
	for _, o := range outcomes {
		recovery, file, size := "NOT RECOVERED", "-", "-"
		if o.err == nil {
			video := o.report.Result.Videos[0]
			_, file = split(video.Location)
			recovery, file = o.recovery, shortenID(file, o.report.Result.TaskID)
			size = fmt.Sprintf("%.1f kB", float64(video.Bytes)/1000)
			verified++
		}
		_, _ = fmt.Fprintf(aligned, "%s\t%s\t%s\t%s\t%s\n", o.scenario.name, o.scenario.problem, recovery, file, size)
	}
	_ = aligned.Flush()
	return text.String(), verified
}

// shortenID cuts out the middle of a long task id in a file name.
func shortenID(file, taskID string) string {
	const kept = 4
	if len(taskID) <= 2*kept+1 {
		return file
	}
	return strings.Replace(file, taskID, taskID[:kept]+"…"+taskID[len(taskID)-kept:], 1)
}
