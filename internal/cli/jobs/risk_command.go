package jobs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lumaflow/internal/command"
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

// writeRisks prints videos at risk for people.
func writeRisks(out io.Writer, risks []starter.Risk, now time.Time) error {
	var rows []row
	for _, risk := range risks {
		// The stage of an open job, or the failure of a closed one.
		reason := risk.Failure
		if risk.State.Open() {
			reason = string(risk.Stage)
		}
		rows = append(rows, row{cells: []string{
			fmt.Sprintf("%dh", risk.HoursLeft), fmt.Sprintf("%s %s ago", risk.CountedFrom, age(now.Sub(risk.Since))),
			plain(risk.TaskID), plain(risk.WorkflowID), string(risk.State), cmp.Or(plain(reason), "-"),
		}})
	}
	return writeTable(out, []string{"LEFT", "COUNTED FROM", "TASK", "JOB", "STATE", "WHY"}, rows)
}

// writeNextCommands prints the next command for the videos at risk.
func writeNextCommands(out io.Writer, risks []starter.Risk) {
	var closed []string
	for _, risk := range risks {
		if !risk.State.Open() {
			closed = append(closed, plain(risk.TaskID))
		}
	}
	switch {
	case len(closed) > maxNamed:
		message(out, "collect them at no cost: lumaflow list --at-risk --json | jq -r '.[].taskId' | lumaflow rescue --ids -")
	case len(closed) > 0:
		message(out, "collect them at no cost: lumaflow rescue %s", strings.Join(closed, " "))
	}
	if open := slices.IndexFunc(risks, func(r starter.Risk) bool { return r.State.Open() }); open >= 0 {
		message(out, "an open job continues by itself; see what it waits for with: lumaflow status %s", plain(risks[open].WorkflowID))
	}
}
