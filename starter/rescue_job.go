package starter

import (
	"cmp"
	"context"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc/codes"

	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

// queryPause is the time without queries after one that no worker answered: the
// next would time out as well.
const queryPause = 30 * time.Second

// startOne starts one job. The error is one that concerns all jobs.
func (r *rescueRun) startOne(ctx context.Context, job int) error {
	outcome := &r.outcomes[job]
	started, err := r.starter.submit(ctx, startRequest{id: outcome.WorkflowID, input: workflows.ModifyVideoInput{TaskID: outcome.TaskID, Model: r.options.Model}})
	switch {
	case err == nil:
		outcome.RunID, outcome.StartedAt, outcome.Existing = started.RunID, started.StartedAt, started.Existing
		outcome.State, outcome.Failure = StateRunning, nil
		if !started.State.Open() {
			return r.pollOne(ctx, job)
		}
	case concernsAll(err):
		outcome.State, outcome.Failure = StateUnknown, &Failure{FailureNotStarted, err.Error()}
		return err
	default:
		outcome.State, outcome.Failure = StateNotStarted, &Failure{FailureNotStarted, err.Error()}
	}
	return nil
}

// pollOne updates the outcome of one job. The error is one that concerns all jobs.
func (r *rescueRun) pollOne(ctx context.Context, job int) error {
	outcome := &r.outcomes[job]
	described, err := r.starter.describe(ctx, outcome.WorkflowID, outcome.RunID)
	switch {
	case concernsAll(err):
		return err
	case err != nil:
		outcome.State, outcome.Failure = StateUnknown, &Failure{FailureOutOfSight, err.Error()}
		return nil
	}
	report := newReport(described.GetWorkflowExecutionInfo())
	report.TaskID = cmp.Or(report.TaskID, outcome.TaskID)
	if report.State.Open() {
		report.Status, report.Pending = outcome.Status, r.starter.failing(described)
		outcome.Report = report
		r.pollStage(ctx, job, described)
		return nil
	}
	switch err := r.starter.addEnd(ctx, &report); {
	case concernsAll(err):
		return err
	case err != nil:
		report.Note = err.Error()
	}
	if report.TaskID == "" {
		// The end of a terminated run names no task.
		r.starter.findTaskID(ctx, described.GetWorkflowExecutionInfo(), &report)
	}
	outcome.Report = report
	return nil
}

// pollStage updates the stage of an open job. It queries the job only if Temporal
// has not stored the stage, or if the status explains it, and not soon after a
// query that no worker answered.
func (r *rescueRun) pollStage(ctx context.Context, job int, described *workflowservice.DescribeWorkflowExecutionResponse) {
	r.stages[job] = storedStage(described)
	switch r.stages[job] {
	case "", workflows.StageHeld, workflows.StageSubmitUnknown:
	default:
		return
	}
	r.mu.Lock()
	paused := time.Now().Before(r.queriesAfter)
	r.mu.Unlock()
	if paused {
		return
	}
	outcome := &r.outcomes[job]
	status, err := r.starter.query(ctx, outcome.WorkflowID, outcome.RunID)
	if err == nil {
		outcome.Status, r.stages[job] = &status, status.Stage
		outcome.TaskID = cmp.Or(status.TaskID, outcome.TaskID)
	}
	if ctx.Err() != nil {
		return
	}
	note, after := "", time.Time{}
	switch {
	case err == nil:
	case is[*serviceerror.QueryFailed](err):
		note = "job " + oneline.Clean(outcome.WorkflowID) + ": " + querySilence(err)
	default:
		note, after = r.starter.noWorkerNote(ctx, queueOf(described)), time.Now().Add(queryPause)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workerNote, r.queriesAfter = note, after
}

// concernsAll reports whether an error concerns all jobs, not one of them.
func concernsAll(err error) bool {
	return err != nil && (interrupted(err) || unanswered(err) || forbidden(err) || serviceerror.ToStatus(err).Code() == codes.ResourceExhausted)
}
