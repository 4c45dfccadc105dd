package starter

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"lumaflow/workflows"
)

func newTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// writeReport prints one job for people.
func writeReport(out io.Writer, report Report, now time.Time) error {
	table := newTable(out)
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", label, text)
		}
	}
	line("job", plain(report.WorkflowID))
	line("state", inTime(report, now))
	if status := report.Status; status != nil {
		line("stage", stageLine(*status, report.State, now))
	}
	line("task", plain(report.TaskID))
	if status := report.Status; status != nil {
		if report.State.Open() {
			line("detail", plain(status.Detail))
		}
		line("counts", fmt.Sprintf("%d sent, %d polls, %d callbacks", status.SubmitAttempts, status.Polls, status.Callbacks))
	}
	for _, video := range videosOf(report) {
		line("video", videoLine(video))
	}
	if report.Failure != nil {
		line("failure", plain(report.Failure.Type)+": "+plain(report.Failure.Message))
	}
	for _, pending := range report.Pending {
		line("pending", pendingLine(pending, now))
	}
	line("note", report.Note)
	return table.Flush()
}

// inTime is a job's state and how long it has taken.
func inTime(report Report, now time.Time) string {
	if report.State.Open() {
		return fmt.Sprintf("%s for %s", report.State, seconds(max(now.Sub(report.StartedAt), 0)))
	}
	return fmt.Sprintf("%s after %s, %s ago", report.State, seconds(report.ClosedAt.Sub(report.StartedAt)), age(now.Sub(report.ClosedAt)))
}

func stageLine(status workflows.Status, state State, now time.Time) string {
	if !state.Open() {
		return string(status.Stage)
	}
	return fmt.Sprintf("%s for %s", status.Stage, seconds(max(now.Sub(status.Since), 0)))
}

func videosOf(report Report) []workflows.Video {
	switch {
	case report.Result != nil:
		return report.Result.Videos
	case report.Status != nil:
		return report.Status.Videos
	default:
		return nil
	}
}

func videoLine(video workflows.Video) string {
	return fmt.Sprintf("%s (%s, %s, %dx%d)", plain(video.Location), humanize.Bytes(uint64(video.Bytes)), plain(video.Duration), video.Width, video.Height)
}

func pendingLine(pending Pending, now time.Time) string {
	text := fmt.Sprintf("%s, attempt %d", plain(pending.Activity), pending.Attempt)
	if until := pending.NextAttempt.Sub(now); !pending.NextAttempt.IsZero() && until > 0 {
		text += " in " + seconds(until)
	}
	if pending.LastFailure != "" {
		text += "; last failure: " + plain(pending.LastFailure)
	}
	return text
}

// writeEntries prints a list of jobs for people.
func writeEntries(out io.Writer, entries []Entry, now time.Time) error {
	table := newTable(out)
	fmt.Fprintln(table, "JOB\tSTATE\tSTAGE\tTASK\tAGE")
	for _, entry := range entries {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", plain(entry.WorkflowID), entry.State,
			dash(string(entry.Stage)), dash(plain(entry.TaskID)), age(now.Sub(entry.StartedAt)))
	}
	return table.Flush()
}

// writeResults prints for people how jobs ended, or how far they are.
func writeResults(out io.Writer, reports []Report, now time.Time) error {
	table := newTable(out)
	fmt.Fprintln(table, resultColumns)
	for _, report := range reports {
		fmt.Fprintln(table, resultRow(report, now, ""))
	}
	return table.Flush()
}

// writeOutcomes prints the same of many jobs, with the lines that asked for
// them if there are any.
func writeOutcomes(out io.Writer, outcomes []Outcome, now time.Time) error {
	lined := len(outcomes) > 0 && outcomes[0].Line > 0
	table := newTable(out)
	if lined {
		fmt.Fprint(table, "LINE\t")
	}
	fmt.Fprintln(table, resultColumns)
	for _, outcome := range outcomes {
		if lined {
			fmt.Fprintf(table, "%d\t%s\n", outcome.Line, resultRow(outcome.Report, now, "\t"))
		} else {
			fmt.Fprintln(table, resultRow(outcome.Report, now, ""))
		}
	}
	return table.Flush()
}

const resultColumns = "JOB\tSTATE\tTIME\tTASK\tVIDEO"

// resultRow is one job of a table. Further videos have lines of their own, which
// begin with indent.
func resultRow(report Report, now time.Time, indent string) string {
	end := report.ClosedAt
	if end.IsZero() {
		end = now
	}
	taken := "-"
	if !report.StartedAt.IsZero() {
		taken = seconds(max(end.Sub(report.StartedAt), 0))
	}
	videos := []string{"-"}
	if report.Result != nil && len(report.Result.Videos) > 0 {
		videos = nil
		for _, video := range report.Result.Videos {
			videos = append(videos, plain(video.Location))
		}
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s", plain(report.WorkflowID), report.State, taken,
		dash(plain(report.TaskID)), strings.Join(videos, "\n"+indent+"\t\t\t\t"))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

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
