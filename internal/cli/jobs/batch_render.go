package jobs

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"lumaflow/activities"
	"lumaflow/internal/cli/terminal"
	"lumaflow/internal/oneline"
	"lumaflow/internal/store"
	"lumaflow/starter"
	"lumaflow/workflows/batches"
)

// countsOfBatch returns the counts of a batch with a number of jobs, which the batch
// has counted when its manifest is checked.
func countsOfBatch(report starter.BatchReport, jobs int) counts {
	shown := counts{total: jobs, text: "the batch checks its jobs", note: report.Note}
	switch progress := report.Progress; {
	case report.Result != nil:
		result := report.Result
		shown.total, shown.ended = result.Jobs, result.Done+result.Failed
		shown.text = countsText(result.Counts, 0, 0, result.NotStarted)
	case progress == nil:
		shown.text = "no worker has answered yet"
	case progress.Phase != batches.PhaseChecking:
		shown.total, shown.ended = progress.Jobs, progress.Done+progress.Failed
		shown.text = countsText(progress.Counts, progress.InFlight, progress.Held, progress.NotStarted) + paceText(*progress)
		shown.note = cmp.Or(report.Note, oneline.Clean(progress.Reason))
	}
	return shown
}

// countsText lists the counts that are not zero.
func countsText(count batches.Counts, inFlight, held, notStarted int) string {
	parts := []string{fmt.Sprintf("%d of %d done", count.Done, count.Jobs)}
	add := func(n int, label string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, label))
		}
	}
	add(count.Failed, "failed")
	add(inFlight, "in flight")
	add(held, "of them held")
	add(notStarted, "not started")
	return strings.Join(parts, ", ")
}

// paceText is the rate and the remaining time, as far as they are known.
func paceText(progress batches.Progress) (text string) {
	if progress.PerHour > 0 {
		text = fmt.Sprintf("; %.0f an hour", progress.PerHour)
	}
	if progress.Remaining > 0 {
		left := max(progress.Remaining.Round(time.Minute), time.Minute).String()
		text += ", about " + strings.TrimSuffix(left, "0s") + " left"
	}
	return text
}

// writeBatch prints a batch for people.
func writeBatch(out io.Writer, report starter.BatchReport) error {
	var fields [][2]string
	add := func(label, text string) {
		if text != "" {
			fields = append(fields, [2]string{label, text})
		}
	}
	add("batch", oneline.Clean(report.WorkflowID))
	add("state", batchState(report))
	progress, result := report.Progress, report.Result
	switch {
	case result != nil:
		add("jobs", countsText(result.Counts, 0, 0, result.NotStarted))
		add("paid", english.Plural(result.Charges, "submission", ""))
		add("stopped", oneline.Clean(result.Stopped))
		add("results", oneline.Clean(result.Results))
	case progress != nil:
		if progress.Phase != batches.PhaseChecking {
			add("jobs", countsText(progress.Counts, progress.InFlight, progress.Held, progress.NotStarted)+paceText(*progress))
			add("paid", english.Plural(progress.Charges, "submission", ""))
		}
		if report.State.Open() {
			add("reason", oneline.Clean(progress.Reason))
			add("open", fmt.Sprintf("at most %d at the same time", progress.Concurrency))
		}
		if progress.RetryRequested {
			add("retry", "runs what failed once more at the end")
		}
	}
	if report.Failure != nil {
		add("failure", oneline.Clean(report.Failure.Message))
	}
	add("note", report.Note)
	return terminal.WriteFields(out, fields)
}

// batchState is the phase of an open batch, if it is known, or its state, and its
// duration.
func batchState(report starter.BatchReport) string {
	state, started, end := string(report.State), report.StartedAt, report.ClosedAt
	switch progress, result := report.Progress, report.Result; {
	case result != nil:
		started, end = result.StartedAt, result.EndedAt
	case progress != nil:
		started = progress.StartedAt
		if report.State.Open() {
			state = string(progress.Phase)
		}
	}
	if report.State.Open() {
		return fmt.Sprintf("%s for %s", state, seconds(time.Since(started)))
	}
	return fmt.Sprintf("%s after %s", state, seconds(end.Sub(started)))
}

// batchError is nil if the batch has completed and all its jobs have their videos.
func batchError(report starter.BatchReport) error {
	id, result := oneline.Clean(report.WorkflowID), report.Result
	switch {
	case report.AllStored():
		return nil
	case result == nil && report.Failure != nil:
		text := oneline.Clean(report.Failure.Message)
		if !strings.HasPrefix(text, "batch ") {
			text = "batch " + id + ": " + text
		}
		return errors.New(text)
	case result == nil:
		return fmt.Errorf("batch %s: %s", id, report.State)
	case result.Failed == 0:
		return fmt.Errorf("%d of %d jobs were not started (%s); to go on with them: lumaflow batch retry %s", result.NotStarted, result.Jobs, oneline.Clean(result.Stopped), id)
	}
	text := fmt.Sprintf("%d of %d jobs ended without their video", result.Failed, result.Jobs)
	if result.NotStarted > 0 {
		text += fmt.Sprintf(", %d were not started (%s)", result.NotStarted, oneline.Clean(result.Stopped))
	}
	return fmt.Errorf("%s; to run them once more, and pay again where kie.ai made no video: lumaflow batch retry %s", text, id)
}

const (
	// resultsTimeout bounds the read of the results of a batch.
	resultsTimeout = 15 * time.Second
	// maxResult bounds one line of the results in bytes.
	maxResult = 1 << 20
)

// writeFailures prints the first failed jobs of a batch from its results, if this
// machine can read them.
func writeFailures(ctx context.Context, out io.Writer, result batches.Result) {
	ctx, cancel := context.WithTimeout(ctx, resultsTimeout)
	defer cancel()
	file, err := store.OpenFile(ctx, result.Results)
	if err != nil {
		message(out, "the results have the reasons of the failures")
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(store.ContextReader{Context: ctx, From: file})
	lines.Buffer(nil, maxResult)
	failed := 0
	for lines.Scan() && failed < maxFailures {
		var line activities.JobResult
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		switch line.Outcome {
		case activities.OutcomeDone, activities.OutcomeDuplicate, activities.OutcomeNotStarted, activities.OutcomeOpen:
		default:
			failed++
			text := oneline.Clean(line.Reason)
			if job := "job " + oneline.Clean(line.Job); !strings.HasPrefix(text, job) {
				text = job + ": " + text
			}
			message(out, "line %d: %s", line.Line, text)
		}
	}
	if result.Failed > failed {
		message(out, "the results have %d more", result.Failed-failed)
	}
}

// batchPlan is what --plan prints.
type batchPlan struct {
	WorkflowID string `json:"workflowId"`
	starter.BatchPlan
	// MostSubmissions is Submissions within what is left of the budget.
	MostSubmissions int `json:"mostSubmissions"`
	// Price is that of MostSubmissions in the unit of --price-per-job; nil if it is
	// unknown.
	Price *float64 `json:"price"`
	// PriceTexts are kie.ai's own texts about the prices of the models, as they are.
	PriceTexts []priceText `json:"priceTexts,omitempty"`
	// Seconds is the time that the submissions take at the rate of the workers.
	Seconds float64 `json:"seconds"`
	budget  int
	perJob  float64
	rate    float64
}

// planned adds the price and the time.
func (c *BatchRunCommand) planned(id string, plan starter.BatchPlan) batchPlan {
	planned := batchPlan{WorkflowID: id, BatchPlan: plan, MostSubmissions: plan.Submissions, budget: c.Budget, perJob: c.PricePerJob, rate: c.SubmitsPerSecond}
	if c.Budget > 0 {
		planned.MostSubmissions = min(max(c.Budget-plan.Paid, 0), plan.Submissions)
	}
	if c.PricePerJob > 0 {
		price := c.PricePerJob * float64(planned.MostSubmissions)
		planned.Price = &price
	}
	planned.Seconds = float64(planned.MostSubmissions) / c.SubmitsPerSecond
	return planned
}

// write prints the plan for people.
func (p batchPlan) write(out io.Writer) error {
	price := "unknown: give --price-per-job"
	if p.Price != nil {
		price = fmt.Sprintf("%.2f (%d × %g)", *p.Price, p.MostSubmissions, p.perJob)
	}
	submissions := fmt.Sprintf("%d to be paid", p.Submissions)
	if p.budget > 0 {
		submissions += fmt.Sprintf(", at most %d with --budget %d", p.MostSubmissions, p.budget)
	}
	switch {
	case p.budget > 0 && p.Paid >= p.budget:
		submissions += fmt.Sprintf(": the batch has paid %d already, so only jobs that cost nothing run; give a greater budget to submit more", p.Paid)
	case p.Paid > 0:
		submissions += fmt.Sprintf("; the batch has paid %d, which a budget counts", p.Paid)
	}
	fields := [][2]string{
		{"batch", oneline.Clean(p.WorkflowID) + " (nothing is started)"},
		{"lines", fmt.Sprintf("%d, of which %d repeat others", p.Lines, p.Duplicates)},
		{"jobs", fmt.Sprintf("%d: %d done already, %d open already, %d failed and not run again", p.Jobs, p.Done, p.Open, p.Failed)},
		{"submissions", submissions},
		{"collections", fmt.Sprintf("%d at no cost", p.Collect)},
		{"price", price},
		{"time", fmt.Sprintf("at least %s to submit, at %g a second; then each job takes the usual time of its model", seconds(time.Duration(p.Seconds*float64(time.Second))), p.rate)},
	}
	for _, text := range p.PriceTexts {
		fields = append(fields, [2]string{"kie.ai", oneline.Clean(text.Model) + ": " + oneline.Clean(text.Text)})
	}
	return terminal.WriteFields(out, fields)
}
