package starter

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/command"
)

// runAtRisk prints the videos at risk and how to collect them.
func (c *ListCommand) runAtRisk(ctx context.Context, s *Starter, streams command.Streams) error {
	risks, err := s.AtRisk(ctx, RiskFilter{TaskQueue: c.TaskQueue, Limit: c.Limit})
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = command.WriteJSON(streams.Out, risks.Found)
	case len(risks.Found) == 0:
		fmt.Fprintln(streams.Err, "no video is at risk: every finished task that is seen here is collected")
	default:
		err = writeRisks(streams.Out, risks.Found, time.Now())
	}
	if risks.More {
		fmt.Fprintf(streams.Err, "only the %d with the least time left are shown; see more with --limit\n", c.Limit)
	}
	for _, note := range risks.Notes {
		fmt.Fprintln(streams.Err, note)
	}
	if !c.JSON {
		sayWhatToDo(streams.Err, risks.Found)
	}
	return err
}

// writeRisks prints videos at risk for people.
func writeRisks(out io.Writer, risks []Risk, now time.Time) error {
	table := newTable(out)
	fmt.Fprintln(table, "LEFT\tCOUNTED FROM\tTASK\tJOB\tSTATE\tWHY")
	for _, risk := range risks {
		fmt.Fprintf(table, "%dh\t%s %s ago\t%s\t%s\t%s\t%s\n", risk.HoursLeft, risk.CountedFrom, age(now.Sub(risk.Since)),
			plain(risk.TaskID), plain(risk.WorkflowID), risk.State, dash(plain(risk.why())))
	}
	return table.Flush()
}

// why is what keeps the job from its video, in a word.
func (r Risk) why() string {
	if r.State.Open() {
		return string(r.Stage)
	}
	return r.Failure
}

// sayWhatToDo names the next command for the videos at risk.
func sayWhatToDo(out io.Writer, risks []Risk) {
	var over []string
	for _, risk := range risks {
		if !risk.State.Open() {
			over = append(over, plain(risk.TaskID))
		}
	}
	switch {
	case len(over) > maxNamed:
		fmt.Fprintln(out, "collect them at no cost: lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -")
	case len(over) > 0:
		fmt.Fprintln(out, "collect them at no cost: lumaflow rescue "+strings.Join(over, " "))
	}
	if open := slices.IndexFunc(risks, func(r Risk) bool { return r.State.Open() }); open >= 0 {
		fmt.Fprintf(out, "a job that is open goes on by itself; what is in its way: lumaflow status %s\n", plain(risks[open].WorkflowID))
	}
}
