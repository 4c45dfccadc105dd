package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print prints the outcomes, the bill and the locations.
func (s *system) print(w io.Writer, outcomes []*outcome) {
	fmt.Fprintln(w)
	verified := printTable(w, outcomes)
	folder := s.output
	for _, o := range outcomes {
		if o.err == nil {
			folder, _ = split(o.report.Result.Videos[0].Location)
		}
	}
	fmt.Fprintf(w, "\n%d jobs, %d charges, %d verified files.\n", len(outcomes), s.kie.Ledger().Charges, verified)
	fmt.Fprintf(w, "Files:       %s\n", folder)
	if !s.keep {
		fmt.Fprintf(w, "Temporal UI: %s (it ends with the demo; --keep stays up)\n", s.server.UIURL())
		return
	}
	fmt.Fprintf(w, "Temporal UI: %s\n", s.server.UIURL())
	fmt.Fprintf(w, "The bill:    %s/_sim/ledger\n", s.kieURL)
	fmt.Fprintf(w, "All jobs:    TEMPORAL_ADDRESS=%s lumaflow list\n", s.server.Address())
	if s.encrypted {
		fmt.Fprintf(w, "Encrypted:   lumaflow codec-server --codec-origin %s lets the UI decrypt\n", s.server.UIURL())
	}
}

// printTable prints a line for each outcome, at most 100 columns wide, and counts
// the verified files.
func printTable(w io.Writer, outcomes []*outcome) (verified int) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tPROBLEM\tRECOVERY\tFILE\tSIZE")
	for _, o := range outcomes {
		recovery, file, size := "NOT RECOVERED", "-", "-"
		if o.err == nil {
			video := o.report.Result.Videos[0]
			_, file = split(video.Location)
			recovery, file = o.recovery, shortenID(file, o.report.Result.TaskID)
			size = fmt.Sprintf("%.1f kB", float64(video.Bytes)/1000)
			verified++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", o.scenario.name, o.scenario.problem, recovery, file, size)
	}
	table.Flush()
	return verified
}

// shortenID cuts out the middle of a long task id in a file name.
func shortenID(file, taskID string) string {
	const kept = 4
	if len(taskID) <= 2*kept+1 {
		return file
	}
	return strings.Replace(file, taskID, taskID[:kept]+"…"+taskID[len(taskID)-kept:], 1)
}
