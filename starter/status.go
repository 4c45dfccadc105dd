package starter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/activities"
	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
	"lumaflow/workflows/batches"
)

// Status reports on the latest run of a job, and counts the others. It queries an open job; if no worker
// answers, the report holds the state that Temporal has stored, and the next step. The
// error is ErrNoJob if there is no such job.
func (s *Starter) Status(ctx context.Context, id string) (Report, error) {
	report, err := s.report(ctx, id, "")
	if err == nil {
		s.addRuns(ctx, &report)
	}
	return report, err
}

// report is Status for one run, or for the latest if runID is empty.
func (s *Starter) report(ctx context.Context, id, runID string) (Report, error) {
	described, err := s.describe(ctx, id, runID)
	if err != nil {
		return Report{}, err
	}
	report := newReport(described.GetWorkflowExecutionInfo())
	listed := s.newEntry(described.GetWorkflowExecutionInfo())
	report.Model, report.Credits = listed.Model, listed.Credits
	status, queryErr := s.query(ctx, id, report.RunID)
	if queryErr == nil {
		report.Status = &status
		report.TaskID, report.Credits = cmp.Or(status.TaskID, report.TaskID), cmp.Or(status.Credits, report.Credits)
	} else if report.TaskID == "" {
		s.findTaskID(ctx, described.GetWorkflowExecutionInfo(), &report)
	}
	switch {
	case !report.State.Open():
		err = s.addEnd(ctx, &report)
	case queryErr == nil:
		report.Pending = s.failing(described)
	default:
		report.Pending = s.pending(id, described.GetPendingActivities())
		if report.Note = s.workflowTaskNote(ctx, described, queryErr); report.Note == "" {
			report.Note = s.queryNote(ctx, queueOf(described), queryErr)
		}
	}
	s.addTimeout(ctx, described, &report)
	if report.State == StateCanceled || described.GetWorkflowExtendedInfo().GetCancelRequested() {
		s.addCancelRequest(ctx, &report)
	}
	return report, err
}

func newReport(info *workflowpb.WorkflowExecutionInfo) Report {
	report := Report{
		WorkflowID: info.GetExecution().GetWorkflowId(),
		RunID:      info.GetExecution().GetRunId(),
		State:      stateOf(info.GetStatus()),
		TaskID:     visibility.Attribute(info, workflows.TaskIDAttribute),
		StartedAt:  info.GetStartTime().AsTime(),
	}
	if info.GetCloseTime() != nil {
		report.ClosedAt = info.GetCloseTime().AsTime()
	}
	return report
}

// findTaskID sets the task that the run has on record, as far as that can be read.
func (s *Starter) findTaskID(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, report *Report) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	if run, err := s.runs.Run(ctx, info); err == nil {
		report.TaskID = cmp.Or(run.Facts.TaskID, report.TaskID)
	}
}

// describe returns a run of a job, the latest if runID is empty. A workflow of
// another type is an error.
func (s *Starter) describe(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	description, err := s.temporal.DescribeWorkflow(ctx, id, runID)
	if runs.NotFound(err) {
		return nil, noJob(id)
	}
	if err != nil {
		return nil, failed("look up job "+oneline.Clean(id), err)
	}
	described := description.RawResponse
	switch name := described.GetWorkflowExecutionInfo().GetType().GetName(); name {
	case workflows.ModifyVideoName:
		return described, nil
	case batches.ModifyVideosName:
		return nil, fmt.Errorf("%s is a batch of jobs; see it with: lumaflow batch status %s", oneline.Clean(id), oneline.Clean(id))
	default:
		return nil, fmt.Errorf("%s is no job of lumaflow but a workflow of type %s", oneline.Clean(id), oneline.Clean(name))
	}
}

// query requests the status from a worker.
func (s *Starter) query(ctx context.Context, id, runID string) (workflows.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var status workflows.Status
	answer, err := s.temporal.QueryWorkflow(ctx, id, runID, workflows.StatusQuery)
	if err != nil {
		return status, fmt.Errorf("query job %s: %w", id, err)
	}
	if err := answer.Get(&status); err != nil {
		return status, fmt.Errorf("decode the status of job %s: %w", id, err)
	}
	return status, nil
}

// storedStage is the stage of an open job without a query: from its search
// attribute or its pending activities. It is empty if neither shows it.
func storedStage(described *workflowservice.DescribeWorkflowExecutionResponse) workflows.Stage {
	if stage := visibility.Attribute(described.GetWorkflowExecutionInfo(), workflows.StageAttribute); stage != "" {
		return workflows.Stage(stage)
	}
	for _, pending := range described.GetPendingActivities() {
		switch pending.GetActivityType().GetName() {
		case submitActivity:
			if failureType(pending) == activities.Held {
				return workflows.StageHeld
			}
			return workflows.StageSubmitting
		case pollActivity, identifyActivity:
			return workflows.StageWaiting
		case downloadActivity, receiptActivity:
			return workflows.StageCollecting
		}
	}
	return ""
}

// failureType is the error type of an activity's last attempt.
func failureType(activity *workflowpb.PendingActivityInfo) string {
	return activity.GetLastFailure().GetApplicationFailureInfo().GetType()
}

// failing lists the activities that are paused, or failed and are retried, without
// the retries that are no failures: the polls of a running task, and a hold, which is
// in the status.
func (s *Starter) failing(described *workflowservice.DescribeWorkflowExecutionResponse) []Pending {
	id := described.GetWorkflowExecutionInfo().GetExecution().GetWorkflowId()
	return s.pending(id, slices.DeleteFunc(slices.Clone(described.GetPendingActivities()), func(activity *workflowpb.PendingActivityInfo) bool {
		kind := failureType(activity)
		return !activity.GetPaused() && (activity.GetLastFailure() == nil || kind == activities.Pending || kind == activities.Held)
	}))
}

// pending lists activities that have not ended.
func (s *Starter) pending(workflowID string, unended []*workflowpb.PendingActivityInfo) []Pending {
	var all []Pending
	for _, activity := range unended {
		pending := Pending{Activity: activity.GetActivityType().GetName(), Attempt: int(activity.GetAttempt())}
		if activity.GetLastFailure() != nil {
			pending.LastFailure = runs.Innermost(s.of(workflowID).Failures.FailureToError(activity.GetLastFailure()))
		}
		if activity.GetPaused() {
			pending.Next = s.unpauseCommand(workflowID, activity.GetActivityId())
		}
		if activity.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED && activity.GetNextAttemptScheduleTime() != nil {
			pending.NextAttempt = activity.GetNextAttemptScheduleTime().AsTime()
		}
		all = append(all, pending)
	}
	return all
}

// queryNote describes a failed query and the next step.
func (s *Starter) queryNote(ctx context.Context, queue workerQueue, err error) string {
	if note := s.noWorkerNote(ctx, queue); note != "" {
		return note
	}
	failed, isFailed := errors.AsType[*serviceerror.QueryFailed](err)
	if isFailed {
		return "the query failed in the worker: " + queue.explain(errorText(failed))
	}
	if !unanswered(err) {
		return errorText(err)
	}
	note := "a worker is polling task queue " + oneline.Clean(queue.name) + " but did not answer in time; try again, or read its log"
	if queue.version == nil {
		note += "; `lumaflow doctor` checks whether it receives new jobs"
	}
	return note
}
