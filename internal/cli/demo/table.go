package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/cli/terminal"
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
		fmt.Fprintf(&text, "Gallery:     %s\n", s.gallery)
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
	var rows []terminal.Row
	for _, o := range outcomes {
		recovery, file, size := "NOT RECOVERED", "-", "-"
		if o.err == nil {
			video := o.report.Result.Videos[0]
			_, file = split(video.Location)
			recovery, size = o.recovery, humanize.Bytes(uint64(video.Bytes))
			verified++
		}
		rows = append(rows, terminal.Row{Cells: []string{o.scenario.name, o.scenario.problem, recovery, file, size}})
	}
	var text strings.Builder
	// A strings.Builder returns no errors.
	_ = terminal.WriteTable(&text, []string{"JOB", "PROBLEM", "RECOVERY", "FILE", "SIZE"}, rows)
	return text.String(), verified
}
