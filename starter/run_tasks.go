package starter

import (
	"context"
	"fmt"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/activities"
	"lumaflow/workflows"
)

const (
	// historyTimeout bounds the reading of one job's whole history.
	historyTimeout = time.Minute
	// maxTasks bounds the tasks that one history is read for: anybody who knows
	// the address of a job can name as many as they like.
	maxTasks = 100
)

// bill is what a run may have cost, as far as its history proves.
type bill struct {
	// taskID is the task that the run had.
	taskID string
	// open says that a submission was made whose outcome nobody knows.
	open bool
	// tasks are all that the history names, in the order in which it does.
	tasks []*task
	// end is how the run ended; nil if it is open or has completed.
	end *Failure
}

// task is a task at kie.ai that a history names.
type task struct {
	id string
	// own says that the run took it for its own: it was told to adopt it, kie.ai
	// accepted it from it, or it polled for its end. Others were only named, by a
	// callback or by an unclear answer.
	own bool
	// barren says that it gives this job no video: it failed, belongs to another
	// job or does not exist.
	barren bool
	// submittedAt and endedAt are zero if the history does not tell.
	submittedAt, endedAt time.Time
}

// task finds a task, or takes it in; for an empty id, or one too many, it is
// none of the bill's.
func (b *bill) task(id string) *task {
	known := slices.IndexFunc(b.tasks, func(t *task) bool { return t.id == id })
	if known >= 0 {
		return b.tasks[known]
	}
	fresh := &task{id: id}
	if id != "" && len(b.tasks) < maxTasks {
		b.tasks = append(b.tasks, fresh)
	}
	return fresh
}

// has notes that the run had a task.
func (b *bill) has(id string) *task {
	if id != "" {
		b.taskID = id
	}
	t := b.task(id)
	t.own = true
	return t
}

// readBill goes through the history of a run. The names are those of the
// activities and signals; the worker of a run that was ended by force can't be
// asked.
func (s *Starter) readBill(ctx context.Context, run Report) (bill, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	reading := reading{Starter: s, underWay: map[int64]scheduled{}}
	events := s.temporal.GetWorkflowHistory(ctx, run.WorkflowID, run.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return reading.bill, fmt.Errorf("read the history of %s: %w", run.WorkflowID, err)
		}
		reading.read(event)
	}
	for _, left := range reading.underWay {
		reading.open = reading.open || left.activity == submitActivity
	}
	return reading.bill, nil
}

// reading is a bill in the making.
type reading struct {
	*Starter
	bill
	// underWay are the activities that have not ended, by the event that
	// scheduled them.
	underWay map[int64]scheduled
}

type scheduled struct{ activity, taskID string }

func (r *reading) read(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		var input workflows.ModifyVideoInput
		if r.data.FromPayloads(event.GetWorkflowExecutionStartedEventAttributes().GetInput(), &input) == nil && input.TaskID != "" {
			r.has(input.TaskID)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		r.signal(event.GetWorkflowExecutionSignaledEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		r.underWay[event.GetEventId()] = r.schedule(event.GetActivityTaskScheduledEventAttributes())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		r.end = r.failure(event)
	default:
		if id, ended := activityEnd(event); ended {
			r.settle(r.underWay[id], event)
			delete(r.underWay, id)
		}
	}
}

// signal takes in the task that a signal names.
func (r *reading) signal(signal *historypb.WorkflowExecutionSignaledEventAttributes) {
	switch signal.GetSignalName() {
	case workflows.CallbackSignal.Name:
		var callback workflows.Callback
		if r.data.FromPayloads(signal.GetInput(), &callback) == nil {
			r.task(callback.TaskID)
		}
	case workflows.EvidenceSignal.Name:
		var evidence activities.Evidence
		if r.data.FromPayloads(signal.GetInput(), &evidence) == nil && evidence.Phase == activities.PhaseAccepted {
			r.task(evidence.TaskID).submittedAt = evidence.At
		}
	}
}

func (r *reading) schedule(event *historypb.ActivityTaskScheduledEventAttributes) scheduled {
	begun := scheduled{activity: event.GetActivityType().GetName()}
	switch begun.activity {
	case pollActivity:
		// Whatever way the task was found, it is polled.
		var poll activities.PollInput
		if r.data.FromPayloads(event.GetInput(), &poll) == nil && poll.TaskID != "" {
			begun.taskID = poll.TaskID
			r.has(poll.TaskID)
		}
	case identifyActivity:
		var identify activities.IdentifyInput
		if r.data.FromPayloads(event.GetInput(), &identify) == nil {
			begun.taskID = identify.TaskID
		}
	}
	return begun
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

// settle reads what an activity that has ended leaves on the bill. A submission
// that was canceled never sent anything: once it has, it runs to its own end.
func (r *reading) settle(begun scheduled, event *historypb.HistoryEvent) {
	result := event.GetActivityTaskCompletedEventAttributes().GetResult()
	failure := event.GetActivityTaskFailedEventAttributes().GetFailure()
	switch kind := event.GetEventType(); {
	case begun.activity == submitActivity && kind == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		var submitted activities.Submitted
		if r.data.FromPayloads(result, &submitted) != nil {
			r.open = true
			return
		}
		r.has(submitted.TaskID).submittedAt = submitted.SubmittedAt
	case begun.activity == submitActivity && kind == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		r.settleFailure(failure)
	case begun.activity == submitActivity && kind == enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		r.settleFailure(event.GetActivityTaskTimedOutEventAttributes().GetFailure())
	case begun.activity == pollActivity && kind == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		var finished activities.Finished
		if r.data.FromPayloads(result, &finished) == nil {
			r.task(begun.taskID).learn(finished.CreatedAt, finished.CompletedAt)
		}
	case begun.activity == identifyActivity && kind == enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		var identified activities.Identified
		if r.data.FromPayloads(result, &identified) == nil {
			r.task(begun.taskID).learn(identified.CreatedAt, time.Time{})
		}
	case kind == enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		switch failure.GetApplicationFailureInfo().GetType() {
		case activities.GenerationFailed, activities.UnknownTask, activities.ForeignTask:
			r.task(begun.taskID).barren = true
		}
	}
}

// learn takes in times, if they are known.
func (t *task) learn(submittedAt, endedAt time.Time) {
	if !submittedAt.IsZero() {
		t.submittedAt = submittedAt
	}
	if !endedAt.IsZero() {
		t.endedAt = endedAt
	}
}

// settleFailure reads the evidence that a failed submission left. What can't be
// read is taken for the worst. Only the outermost failure counts: the cause of a
// timeout is how an earlier attempt failed.
func (r *reading) settleFailure(failure *failurepb.Failure) {
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
	if len(left.GetPayloads()) == 0 || r.data.FromPayloads(left, &evidence) != nil {
		r.open = true
		return
	}
	switch evidence.Phase {
	case activities.PhaseAccepted:
		r.has(evidence.TaskID).submittedAt = evidence.At
	case activities.PhaseRefused:
	default:
		r.open = true
		r.task(evidence.TaskID).submittedAt = evidence.At
	}
}
