package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"

	"lumaflow/activities"
	"lumaflow/internal/temporal/pollers"
	"lumaflow/workflows"
)

// Status reports on the latest run of a job. An open job is asked itself; if no
// worker answers, the report says what Temporal knows and what to do. The error
// is ErrNoJob if there is no such job.
func (s *Starter) Status(ctx context.Context, id string) (Report, error) {
	return s.report(ctx, id, "")
}

// report is Status for one run, or for the latest if runID is empty.
func (s *Starter) report(ctx context.Context, id, runID string) (Report, error) {
	described, err := s.describe(ctx, id, runID)
	if err != nil {
		return Report{}, err
	}
	report := newReport(described)
	status, queryErr := s.query(ctx, id, report.RunID)
	if queryErr == nil {
		report.Status = &status
		report.learn(status.TaskID)
	}
	if queryErr != nil && report.TaskID == "" {
		// What the job can't say, its history tells.
		if bill, err := s.readBill(ctx, report); err == nil {
			report.learn(bill.taskID)
		}
	}
	if !report.State.Open() {
		return report, s.addEnd(ctx, &report)
	}
	if queryErr == nil {
		report.Pending = s.inTheWay(described)
		return report, nil
	}
	report.Pending = s.pending(described.GetPendingActivities())
	if report.Note = s.stuck(ctx, described, queryErr); report.Note == "" {
		report.Note = s.silence(ctx, placeOf(described), queryErr)
	}
	return report, nil
}

func newReport(described *workflowservice.DescribeWorkflowExecutionResponse) Report {
	info := described.GetWorkflowExecutionInfo()
	report := Report{
		WorkflowID: info.GetExecution().GetWorkflowId(),
		RunID:      info.GetExecution().GetRunId(),
		State:      stateOf(info.GetStatus()),
		TaskID:     workflows.Attribute(info, workflows.TaskIDAttribute),
		StartedAt:  info.GetStartTime().AsTime(),
	}
	if info.GetCloseTime() != nil {
		report.ClosedAt = info.GetCloseTime().AsTime()
	}
	return report
}

// learn takes in a task id, if it is one.
func (r *Report) learn(taskID string) {
	if taskID != "" {
		r.TaskID = taskID
	}
}

// describe finds a run of a job, the latest if runID is empty. A workflow of
// another type is no job.
func (s *Starter) describe(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	description, err := s.temporal.DescribeWorkflow(ctx, id, runID)
	if notFound(err) {
		return nil, noJob(id)
	}
	if err != nil {
		return nil, failed("look up job "+plain(id), err)
	}
	described := description.RawResponse
	if name := described.GetWorkflowExecutionInfo().GetType().GetName(); name != workflows.ModifyVideoName {
		return nil, fmt.Errorf("%s is no job of lumaflow but a workflow of type %s", plain(id), plain(name))
	}
	return described, nil
}

func taskQueue(described *workflowservice.DescribeWorkflowExecutionResponse) string {
	return described.GetWorkflowExecutionInfo().GetTaskQueue()
}

// query asks the job itself.
func (s *Starter) query(ctx context.Context, id, runID string) (workflows.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	var status workflows.Status
	answer, err := s.temporal.QueryWorkflow(ctx, id, runID, workflows.StatusQuery)
	if err != nil {
		return status, fmt.Errorf("query job %s: %w", id, err)
	}
	if err := answer.Get(&status); err != nil {
		return status, fmt.Errorf("read the status of job %s: %w", id, err)
	}
	return status, nil
}

// stageSeen is the stage of an open job as far as Temporal itself knows it: by
// its search attribute or by the work in hand. A job without either is waiting
// for something, or its worker has not taken it up.
func stageSeen(described *workflowservice.DescribeWorkflowExecutionResponse) workflows.Stage {
	if stage := workflows.Attribute(described.GetWorkflowExecutionInfo(), workflows.StageAttribute); stage != "" {
		return workflows.Stage(stage)
	}
	for _, pending := range described.GetPendingActivities() {
		switch pending.GetActivityType().GetName() {
		case submitActivity:
			if pending.GetLastFailure().GetApplicationFailureInfo().GetType() == activities.Held {
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

// inTheWay lists the activities of an open job that failed and are tried again,
// without those that only wait: a task that runs is polled, and a hold the job
// tells of itself.
func (s *Starter) inTheWay(described *workflowservice.DescribeWorkflowExecutionResponse) []Pending {
	return s.pending(slices.DeleteFunc(slices.Clone(described.GetPendingActivities()), func(activity *workflowpb.PendingActivityInfo) bool {
		switch activity.GetLastFailure().GetApplicationFailureInfo().GetType() {
		case activities.Pending, activities.Held:
			return true
		}
		return activity.GetLastFailure() == nil
	}))
}

// pending lists activities that have not ended.
func (s *Starter) pending(unended []*workflowpb.PendingActivityInfo) []Pending {
	var all []Pending
	for _, activity := range unended {
		pending := Pending{Activity: activity.GetActivityType().GetName(), Attempt: int(activity.GetAttempt())}
		if activity.GetLastFailure() != nil {
			pending.LastFailure = innermost(s.failures.FailureToError(activity.GetLastFailure()))
		}
		if activity.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED && activity.GetNextAttemptScheduleTime() != nil {
			pending.NextAttempt = activity.GetNextAttemptScheduleTime().AsTime()
		}
		all = append(all, pending)
	}
	return all
}

// silence says why a job could not be asked.
func (s *Starter) silence(ctx context.Context, at place, err error) string {
	if there, known := s.workerThere(ctx, at); known && !there {
		return at.noWorker()
	}
	var failed *serviceerror.QueryFailed
	if errors.As(err, &failed) {
		return "the worker can't answer for it: " + at.explained(said(failed))
	}
	if unanswered(err) {
		note := "a worker is polling task queue " + plain(at.queue) + " but did not answer in time; look again, or into its log"
		if at.version == nil {
			note += "; `lumaflow doctor` says whether it gets new jobs"
		}
		return note
	}
	return "the job can't be asked: " + said(err)
}

// workerThere reports whether a worker asks for jobs, as far as Temporal tells.
func (s *Starter) workerThere(ctx context.Context, at place) (there, known bool) {
	there, err := pollers.Queue{
		Service: s.temporal.WorkflowService(), Namespace: s.namespace, Name: at.queue, Type: enumspb.TASK_QUEUE_TYPE_WORKFLOW,
	}.Any(ctx, at.polls)
	return there, err == nil
}

// innermost is the text of what first went wrong, without Temporal's framing.
func innermost(err error) string {
	var application *temporal.ApplicationError
	if errors.As(err, &application) {
		return plain(application.Message())
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return "no worker finished it in time"
	}
	return said(err)
}
