package starter

import (
	"context"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// historyTimeout bounds the reading of one job's whole history.
const historyTimeout = time.Minute

// UnsettledError means that the last run of a job ended without its video after
// something was paid or may have been, so that the same job is not started
// again: that could pay twice.
type UnsettledError struct {
	WorkflowID string
	// TaskID is the task that is or may be paid; empty if nobody knows it.
	TaskID string
	// State and Failure are how the run ended.
	State   State
	Failure Failure
}

// Error names the job, the task if it is known, and the ways on.
func (e *UnsettledError) Error() string {
	how := string(e.State)
	if e.State == StateFailed {
		how = "failed with " + e.Failure.Type
	}
	const another = "for another, paid take use a new --key or --id"
	if e.TaskID != "" {
		return fmt.Sprintf("job %s ended (%s) but its task %s is paid, so it is not submitted again: collect it at no cost with `lumaflow submit --task-id %s`; %s",
			plain(e.WorkflowID), how, plain(e.TaskID), plain(e.TaskID), another)
	}
	return fmt.Sprintf("job %s ended (%s) and may have paid for a task, so it is not submitted again: look for the task at https://kie.ai/logs and collect it at no cost with `lumaflow submit --task-id TASKID`; %s",
		plain(e.WorkflowID), how, another)
}

// checkSettled returns an *UnsettledError unless it is certain that another
// run can't pay for what the last one has paid already.
func (s *Starter) checkSettled(ctx context.Context, last Report) error {
	if err := s.addEnd(ctx, &last); err != nil {
		return err
	}
	unsettled := &UnsettledError{WorkflowID: last.WorkflowID, State: last.State}
	if last.Failure != nil {
		unsettled.Failure = *last.Failure
	}
	open := false
	if last.State == StateFailed {
		switch unsettled.Failure.Type {
		case workflows.GenerationFailed, workflows.SubmitRefused, workflows.InvalidRequest:
			return nil
		case workflows.SubmitUnknown, workflows.ResultOverdue, workflows.DownloadRejected:
			open = true
		}
	}
	bill, err := s.readBill(ctx, last)
	if err != nil {
		return failed("find out whether job "+plain(last.WorkflowID)+" has paid for a task", err)
	}
	unsettled.TaskID = bill.taskID
	if unsettled.TaskID == "" {
		unsettled.TaskID = last.TaskID
	}
	if open || unsettled.TaskID != "" || bill.open {
		return unsettled
	}
	return nil
}

// bill is what a run may have cost, as far as its history proves.
type bill struct {
	// taskID is the task that the run had.
	taskID string
	// open says that a submission was made whose outcome nobody knows.
	open bool
}

// readBill goes through the history of a run. The names are those of the
// activities; the worker of a run that was ended by force can't be asked.
func (s *Starter) readBill(ctx context.Context, run Report) (bill, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var bill bill
	underWay := map[int64]bool{}
	events := s.temporal.GetWorkflowHistory(ctx, run.WorkflowID, run.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return bill, fmt.Errorf("read the history of %s: %w", run.WorkflowID, err)
		}
		if scheduled := event.GetActivityTaskScheduledEventAttributes(); scheduled != nil {
			switch scheduled.GetActivityType().GetName() {
			case submitActivity:
				underWay[event.GetEventId()] = true
			case pollActivity:
				// Whatever way the task was found, it is polled.
				var poll activities.PollInput
				if s.data.FromPayloads(scheduled.GetInput(), &poll) == nil && poll.TaskID != "" {
					bill.taskID = poll.TaskID
				}
			}
			continue
		}
		if id, ended := activityEnd(event); ended && underWay[id] {
			delete(underWay, id)
			s.settle(&bill, event)
		}
	}
	bill.open = bill.open || len(underWay) > 0
	return bill, nil
}

// activityEnd names the activity that an event ends.
func activityEnd(event *historypb.HistoryEvent) (scheduledID int64, ended bool) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId(), true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return event.GetActivityTaskFailedEventAttributes().GetScheduledEventId(), true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return event.GetActivityTaskTimedOutEventAttributes().GetScheduledEventId(), true
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return event.GetActivityTaskCanceledEventAttributes().GetScheduledEventId(), true
	default:
		return 0, false
	}
}

// settle reads what a submission that has ended leaves on the bill. One that
// was canceled never sent anything: once it has, it runs to its own end.
func (s *Starter) settle(bill *bill, event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		var submitted activities.Submitted
		if s.data.FromPayloads(event.GetActivityTaskCompletedEventAttributes().GetResult(), &submitted) != nil {
			bill.open = true
			return
		}
		bill.taskID = submitted.TaskID
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		s.settleFailure(bill, event.GetActivityTaskFailedEventAttributes().GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		s.settleFailure(bill, event.GetActivityTaskTimedOutEventAttributes().GetFailure())
	}
}

// settleFailure reads the evidence that a failed submission left. What can't be
// read is taken for the worst. Only the outermost failure counts: the cause of a
// timeout is how an earlier attempt failed.
func (s *Starter) settleFailure(bill *bill, failure *failurepb.Failure) {
	var left *commonpb.Payloads
	switch timeout, application := failure.GetTimeoutFailureInfo(), failure.GetApplicationFailureInfo(); {
	case timeout != nil:
		left = timeout.GetLastHeartbeatDetails()
		if len(left.GetPayloads()) == 0 {
			// A submission leaves evidence before it sends anything.
			return
		}
	case application != nil:
		switch application.GetType() {
		case activities.Held, activities.NotSent, activities.SubmitRefused, activities.VideoExpired:
			return
		}
		left = application.GetDetails()
	}
	var evidence activities.Evidence
	if len(left.GetPayloads()) == 0 || s.data.FromPayloads(left, &evidence) != nil {
		bill.open = true
		return
	}
	switch evidence.Phase {
	case activities.PhaseAccepted:
		bill.taskID = evidence.TaskID
	case activities.PhaseRefused:
	default:
		bill.open = true
	}
}
