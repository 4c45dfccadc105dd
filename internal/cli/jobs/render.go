package jobs

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/oneline"
	"lumaflow/starter"
	"lumaflow/workflows"
)

// message prints a line for people. An error of its stream is no failure of the
// command.
func message(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// writeReport prints one job for people.
func writeReport(out io.Writer, report starter.Report, now time.Time) error {
	var fields [][2]string
	add := func(label, text string) {
		if text != "" {
			fields = append(fields, [2]string{label, text})
		}
	}
	add("job", oneline.Clean(report.WorkflowID))
	add("state", stateText(report, now))
	if report.Runs != nil {
		add("runs", report.Runs.String())
	}
	status := report.Status
	if status != nil {
		stage := string(status.Stage)
		if report.State.Open() {
			stage += " for " + seconds(now.Sub(status.Since))
		}
		add("stage", stage)
	}
	add("task", oneline.Clean(report.TaskID))
	add("model", oneline.Clean(report.Model))
	if report.Credits != nil {
		add("credits", creditsText(report.Credits))
	}
	if status != nil {
		if report.State.Open() {
			add("detail", oneline.Clean(status.Detail))
		}
		add("counts", fmt.Sprintf("%d sent, %d polls, %d callbacks", status.SubmitAttempts, status.Polls, status.Callbacks))
	}
	if status != nil && status.Resolved != nil {
		add("resolved", resolvedText(*status.Resolved, now))
	}
	if report.CancelRequest != nil {
		add("cancel", report.CancelRequest.String()+", "+age(now.Sub(report.CancelRequest.At))+" ago")
	}
	for _, video := range videosOf(report) {
		add("video", fmt.Sprintf("%s (%s, %s, %dx%d)", oneline.Clean(video.Location), humanize.Bytes(uint64(video.Bytes)), oneline.Clean(video.Duration), video.Width, video.Height))
	}
	if report.Failure != nil {
		add("failure", oneline.Clean(report.Failure.Type)+": "+oneline.Clean(report.Failure.Message))
	}
	for _, pending := range report.Pending {
		add("pending", pendingText(pending, now))
	}
	add("note", report.Note)
	return terminal.WriteFields(out, fields)
}

// resolvedText describes the decision of an operator.
func resolvedText(resolved workflows.Resolved, now time.Time) string {
	text := resolved.Action
	if resolved.TaskID != "" {
		text += " " + resolved.TaskID
	}
	if resolved.By != "" {
		text += " by " + resolved.By
	}
	return oneline.Clean(text) + ", " + age(now.Sub(resolved.At)) + " ago"
}

// stateText is the state of a job and its duration.
func stateText(report starter.Report, now time.Time) string {
	if report.State.Open() {
		return fmt.Sprintf("%s for %s", report.State, seconds(now.Sub(report.StartedAt)))
	}
	return fmt.Sprintf("%s after %s, %s ago", report.State, seconds(report.ClosedAt.Sub(report.StartedAt)), age(now.Sub(report.ClosedAt)))
}

func videosOf(report starter.Report) []workflows.Video {
	switch {
	case report.Result != nil:
		return report.Result.Videos
	case report.Status != nil:
		return report.Status.Videos
	default:
		return nil
	}
}

func pendingText(pending starter.Pending, now time.Time) string {
	text := fmt.Sprintf("%s, attempt %d", oneline.Clean(pending.Activity), pending.Attempt)
	if pending.Next != "" {
		text += ", paused; continue it with: " + oneline.Clean(pending.Next)
	}
	if until := pending.NextAttempt.Sub(now); !pending.NextAttempt.IsZero() && until > 0 {
		text += " in " + seconds(until)
	}
	if pending.LastFailure != "" {
		text += "; last failure: " + oneline.Clean(pending.LastFailure)
	}
	return text
}

// writeEntries prints a list of jobs for people.
func writeEntries(out io.Writer, entries []starter.Entry, now time.Time) error {
	var rows []terminal.Row
	for _, entry := range entries {
		rows = append(rows, terminal.Row{Cells: []string{
			oneline.Clean(entry.WorkflowID), string(entry.State), cmp.Or(string(entry.Stage), "-"),
			cmp.Or(oneline.Clean(entry.TaskID), "-"), age(now.Sub(entry.StartedAt)),
		}})
	}
	head := []string{"JOB", "STATE", "STAGE", "TASK", "AGE"}
	return terminal.WriteTable(out, withCredits(head, rows, entries, func(e starter.Entry) *float64 { return e.Credits }), rows)
}

// withCredits adds the cost of each entry to its row, and the column to the returned
// head. kie.ai's records of Luma Modify have no cost: a table of its jobs has no column.
func withCredits[E any](head []string, rows []terminal.Row, entries []E, credits func(E) *float64) []string {
	if !slices.ContainsFunc(entries, func(e E) bool { return credits(e) != nil }) {
		return head
	}
	for i, entry := range entries {
		rows[i].Cells = append(rows[i].Cells, creditsText(credits(entry)))
	}
	return append(head, "CREDITS")
}

// creditsText is the cost of a task; a dash if kie.ai's record has none.
func creditsText(credits *float64) string {
	if credits == nil {
		return "-"
	}
	return strconv.FormatFloat(*credits, 'f', -1, 64)
}

// writeResults prints jobs that have ended, or the states of those that have not, with
// the locations of their videos below.
func writeResults(out io.Writer, reports []starter.Report, now time.Time) error {
	var rows []terminal.Row
	for _, report := range reports {
		duration := "-"
		if !report.StartedAt.IsZero() {
			end := report.ClosedAt
			if end.IsZero() {
				end = now
			}
			duration = seconds(end.Sub(report.StartedAt))
		}
		line := terminal.Row{Cells: []string{
			oneline.Clean(report.WorkflowID), string(report.State), duration, cmp.Or(oneline.Clean(report.TaskID), "-"),
		}}
		if report.Result != nil {
			for _, video := range report.Result.Videos {
				line.Below = append(line.Below, oneline.Clean(video.Location))
			}
		}
		rows = append(rows, line)
	}
	return terminal.WriteTable(out, []string{"JOB", "STATE", "TIME", "TASK"}, rows)
}

// seconds is a duration in whole seconds. Clocks of two machines may differ, so a
// negative one counts as zero.
func seconds(d time.Duration) string { return max(d, 0).Truncate(time.Second).String() }

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}
