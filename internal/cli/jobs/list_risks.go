package jobs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/command"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
)

// runAtRisk prints the videos at risk and the command that collects them.
func (c *ListCommand) runAtRisk(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	risks, err := s.AtRisk(ctx, starter.RiskFilter{TaskQueue: c.TaskQueue, Limit: c.Limit})
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = command.WriteJSON(streams.Out, risks.Found)
	case len(risks.Found) == 0:
		message(streams.Err, "no video is at risk: every finished task of these jobs is collected")
	default:
		err = writeRisks(streams.Out, risks.Found, time.Now())
	}
	if risks.More {
		message(streams.Err, "only the %d with the least time left are shown; see more with --limit", c.Limit)
	}
	for _, note := range risks.Notes {
		message(streams.Err, "%s", note)
	}
	if !c.JSON {
		writeNextCommands(streams.Err, risks.Found)
	}
	return err
}

// runPaidUnstored prints what was paid and never stored, and the command that collects
// what kie.ai still has.
func (c *ListCommand) runPaidUnstored(ctx context.Context, s *starter.Starter, streams command.Streams) error {
	found, err := s.PaidUnstored(ctx, starter.RiskFilter{TaskQueue: c.TaskQueue, Limit: c.Limit})
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		err = command.WriteJSON(streams.Out, found)
	case found.Total == 0:
		message(streams.Err, "no finished task of these jobs is paid and not stored")
	default:
		if err = writeRisks(streams.Out, found.Tasks, time.Now()); err == nil {
			_, err = fmt.Fprintln(streams.Out, unstoredText(found))
		}
	}
	if shown := len(found.Tasks); shown < found.Total {
		message(streams.Err, "only the oldest %d of %d are shown; see more with --limit", shown, found.Total)
	}
	for _, note := range found.Notes {
		message(streams.Err, "%s", note)
	}
	if !c.JSON {
		writeNextCommands(streams.Err, found.Tasks)
	}
	return err
}

// unstoredText is the sum of what was paid and never stored.
func unstoredText(found starter.Unstored) string {
	text := fmt.Sprintf("paid and not stored: %d", found.Total)
	if found.Expired > 0 {
		text += fmt.Sprintf(", of which %d expired", found.Expired)
	}
	if found.Unpriced < found.Total {
		text += fmt.Sprintf("; %s credits", creditsText(&found.Credits))
	}
	if found.Unpriced > 0 {
		text += fmt.Sprintf("; without a cost on record: %d", found.Unpriced)
	}
	return text
}

// writeRisks prints videos at risk for people.
func writeRisks(out io.Writer, risks []starter.Risk, now time.Time) error {
	var rows []terminal.Row
	for _, risk := range risks {
		left := fmt.Sprintf("%dh", risk.HoursLeft)
		if risk.Expired {
			left = "expired"
		}
		reason := risk.Failure
		switch {
		case risk.State.Open():
			reason = string(risk.Stage)
		case risk.State == starter.StateCompleted:
			reason = "second task"
		}
		rows = append(rows, terminal.Row{Cells: []string{
			left, fmt.Sprintf("%s %s ago", risk.CountedFrom, age(now.Sub(risk.Since))),
			oneline.Clean(risk.TaskID), oneline.Clean(risk.WorkflowID), string(risk.State), cmp.Or(oneline.Clean(reason), "-"),
		}})
	}
	head := []string{"LEFT", "COUNTED FROM", "TASK", "JOB", "STATE", "WHY"}
	return terminal.WriteTable(out, withCredits(head, rows, risks, func(r starter.Risk) *float64 { return r.Credits }), rows)
}

// writeNextCommands prints the next command for the videos at risk.
func writeNextCommands(out io.Writer, risks []starter.Risk) {
	var closed []string
	for _, risk := range risks {
		if !risk.State.Open() && !risk.Expired {
			closed = append(closed, oneline.Clean(risk.TaskID))
		}
	}
	switch {
	case len(closed) > maxNamed:
		message(out, "collect them at no cost: lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -")
	case len(closed) > 0:
		message(out, "collect them at no cost: lumaflow rescue %s", strings.Join(closed, " "))
	}
	if open := slices.IndexFunc(risks, func(r starter.Risk) bool { return r.State.Open() }); open >= 0 {
		message(out, "an open job continues by itself; see what it waits for with: lumaflow status %s", oneline.Clean(risks[open].WorkflowID))
	}
}
