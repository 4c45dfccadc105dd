package starter

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"

	"lumaflow/internal/kie"
	"lumaflow/internal/paid/runs"
	"lumaflow/workflows"
)

// riskSearch is one search for videos at risk.
type riskSearch struct {
	starter *Starter
	now     time.Time
	// unstored includes what can't be collected any more: videos that kie.ai has deleted
	// and submissions that were written off, of jobs of any age.
	unstored bool
	// candidates counts the runs that may have left a video, truncated means that there
	// are others beyond maxJobs.
	candidates int
	truncated  bool

	mu sync.Mutex
	// found are the payments that are open, by their task or else by their job, read
	// the jobs whose runs are read.
	found map[string]Risk
	read  map[string]bool
	// missed are runs beyond the time limit, unread those that failed with readErr.
	missed, unread int
	readErr        string
	// noTaskAttribute means that the namespace can't list jobs by their task.
	noTaskAttribute bool
}

// running reports whether the task of an open job, submitted at a time, is taken to
// be still running.
func (r *riskSearch) running(entry Entry, submittedAt time.Time) bool {
	return entry.State.Open() && entry.Stage != workflows.StageCollecting && r.now.Sub(submittedAt) < maxTaskDuration
}

// count counts the error of one examination.
func (r *riskSearch) count(ctx context.Context, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil, runs.NotFound(err), errors.Is(err, ErrNoJob):
	case ctx.Err() != nil:
		r.missed++
	default:
		r.unread++
		r.readErr = errorText(err)
	}
}

// examine adds the videos that a job has left, if the run may have left one.
func (r *riskSearch) examine(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	run, err := r.starter.runs.Run(ctx, info)
	if err != nil || !run.Facts.PaidOpen && (!r.unstored || !run.MediaGone()) {
		return err
	}
	if risk, err := r.risk(ctx, runs.Payment{Run: run, TaskID: run.Facts.TaskID}); err != nil || r.running(risk.Entry, risk.Since) {
		return err
	}
	id, runID := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	latest, err := r.starter.describe(ctx, id, "")
	if err != nil && !errors.Is(err, ErrNoJob) {
		return err
	}
	job := runs.Job{run}
	if last := latest.GetWorkflowExecutionInfo(); last.GetExecution().GetRunId() != runID || last.GetFirstRunId() != runID {
		// Temporal limits lists to 10 a second, so that jobs of one run have none.
		r.mu.Lock()
		read := r.read[id]
		r.read[id] = true
		r.mu.Unlock()
		if read {
			return nil
		}
		if job, err = r.starter.runs.Job(ctx, id, run); err != nil {
			return err
		}
	}
	for _, payment := range job.Payments() {
		if payment.Stored || payment.NoVideo || !payment.Run.Facts.PaidOpen && (!r.unstored || !payment.Gone) {
			continue
		}
		if err := r.add(ctx, payment); err != nil {
			return err
		}
	}
	return nil
}

// risk returns a payment as a video at risk, with the stage of an open run. Only the
// task of the run has times, since another one may be older, and a cost.
func (r *riskSearch) risk(ctx context.Context, payment runs.Payment) (Risk, error) {
	risk := Risk{Entry: r.starter.newEntry(payment.Run.Info), Failure: endType(payment.Run), CountedFrom: FromJob}
	if risk.State.Open() && risk.Stage == "" {
		described, err := r.starter.describe(ctx, risk.WorkflowID, risk.RunID)
		if err != nil {
			return risk, err
		}
		risk.Stage = storedStage(described)
	}
	facts := payment.Run.Facts
	risk.TaskID, risk.Since, risk.Credits, risk.WrittenOff = payment.TaskID, risk.StartedAt, nil, facts.WrittenOff && payment.TaskID == ""
	if payment.TaskID != "" && payment.TaskID == facts.TaskID {
		risk.Credits = facts.Credits
	}
	switch {
	case facts.TaskID != "" && facts.TaskID != payment.TaskID:
	case !facts.EndedAt.IsZero():
		risk.CountedFrom, risk.Since = FromEnd, facts.EndedAt
	case !facts.SubmittedAt.IsZero():
		risk.CountedFrom, risk.Since = FromSubmission, facts.SubmittedAt
	}
	risk.Since = risk.Since.UTC()
	risk.DeletedAt = risk.Since.Add(kie.MediaKept)
	risk.Expired = payment.Gone && !facts.PaidOpen || !risk.DeletedAt.After(r.now)
	if !risk.Expired {
		risk.HoursLeft = int(risk.DeletedAt.Sub(r.now) / time.Hour)
	}
	return risk, nil
}

// add adds a payment unless its task is running, an open job searches for it, an
// operator has given it up or another job has an end for it. The open job that collects
// it is shown in place of an ended one; of a task of two jobs the open one and the
// shorter time.
func (r *riskSearch) add(ctx context.Context, payment runs.Payment) error {
	risk, err := r.risk(ctx, payment)
	if err != nil || r.running(risk.Entry, risk.Since) || risk.TaskID == "" && (payment.Run.Open() || risk.WrittenOff && !r.unstored) {
		return err
	}
	var others runs.Settlement
	if risk.TaskID != "" {
		others, err = r.starter.runs.Settlement(ctx, risk.TaskID)
	}
	if err != nil || others.Settled && (!r.unstored || !others.Gone) {
		return err
	}
	if others.Gone {
		risk.Expired, risk.HoursLeft = true, 0
	}
	if collector := r.starter.newEntry(others.Collector.GetWorkflowExecutionInfo()); others.Collector != nil && collector.State.Open() && !risk.State.Open() {
		collector.Stage, collector.TaskID, collector.Credits = storedStage(others.Collector), risk.TaskID, cmp.Or(collector.Credits, risk.Credits)
		risk.Entry, risk.Failure = collector, ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noTaskAttribute = r.noTaskAttribute || others.Incomplete
	key := cmp.Or(risk.TaskID, "job "+risk.WorkflowID)
	if other, found := r.found[key]; found {
		if other.Since.Before(risk.Since) {
			risk, other = other, risk
		}
		credits := cmp.Or(risk.Credits, other.Credits)
		if other.State.Open() {
			risk.Entry, risk.Failure = other.Entry, other.Failure
		}
		risk.Credits = credits
	}
	r.found[key] = risk
	return nil
}
