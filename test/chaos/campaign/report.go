package campaign

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the report as a table.
func (r *Report) print(w io.Writer) error {
	var rows strings.Builder
	rows.WriteString("FAULT\tINJECTED\tMINIMUM\tSURVIVED\t")
	for _, how := range rescues {
		fmt.Fprintf(&rows, "%s\t", strings.ToUpper("by "+string(how)))
	}
	rows.WriteByte('\n')
	for _, row := range r.Rows {
		fmt.Fprintf(&rows, "%s\t%d\t%d\t%d\t", row.Name, row.Injected, row.Minimum, row.Survived)
		for _, how := range rescues {
			fmt.Fprintf(&rows, "%d\t", row.Rescued[how])
		}
		rows.WriteByte('\n')
	}
	printRescues(&rows, "all jobs", r.Rescues)
	printRescues(&rows, "at least", r.Needed)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	if _, err := io.WriteString(table, rows.String()); err != nil {
		return err
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of the seeds %d to %d in %s: %d jobs, %d charges, %d files, %d visible failures, %d deaths.\n"+
		"Charged twice: %d. Lost responses: %d, of which %d needed an operator; %d more submissions were never made and sent again by one.\n",
		r.Seeds, r.From, r.From+int64(r.Asked)-1, r.Took.Truncate(time.Second), r.Jobs, r.Charges, r.Files, r.Failures, r.Deaths,
		r.Duplicates, r.Lost.Responses, r.Lost.Operator, r.Lost.Unsent)
	return err
}

func printRescues(rows *strings.Builder, title string, counts map[rescue]int) {
	fmt.Fprintf(rows, "%s\t\t\t\t", title)
	for _, how := range rescues {
		fmt.Fprintf(rows, "%d\t", counts[how])
	}
	rows.WriteByte('\n')
}

// failure is nil if all seeds passed and the planned faults happened.
func (r *Report) failure() error {
	var failed []string
	if len(r.Broken) > 0 {
		failed = append(failed, fmt.Sprintf("%d of %d seeds did not keep the promise; run one again alone: %s", len(r.Broken), r.Seeds, r.rerunCommand(r.Broken[0])))
	}
	if r.Seeds < r.Asked {
		failed = append(failed, fmt.Sprintf("only %d of %d seeds were run", r.Seeds, r.Asked))
	}
	if len(r.Missing) > 0 {
		failed = append(failed, "the campaign proves too little: "+strings.Join(r.Missing, "; "))
	}
	if len(failed) == 0 {
		return nil
	}
	return errors.New(strings.Join(failed, "; "))
}

// rerunCommand is the command that repeats one seed with the same flags.
func (r *Report) rerunCommand(seed int64) string {
	text := fmt.Sprintf("go run ./test/chaos --seeds 1 --from %d --jobs %d --keep", seed, r.JobsEach)
	if len(r.Faults) > 0 {
		text += " --faults " + strings.Join(r.Faults, ",")
	}
	return text
}
