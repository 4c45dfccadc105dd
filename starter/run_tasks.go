package starter

import (
	"cmp"
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
	// historyTimeout bounds the read of one job's whole history.
	historyTimeout = time.Minute
	// maxTasks bounds the tasks of one history: callbacks can name any number.
	maxTasks = 100
)

// runTasks are the tasks that a run has paid, or may have paid, according to its
// history.
type runTasks struct {
	// taskID is the last task that the run had.
	taskID string
	// unknown means that the outcome of a submission is unknown.
	unknown bool
	// all are the tasks in the order in which the history names them.
	all []*historyTask
	// failure is nil if the run is open or has completed.
	failure *Failure
}

// historyTask is a task at kie.ai that a history names.
type historyTask struct {
	id string
	// own means that the run adopted the task, received it from kie.ai as accepted,
	// or polled it. Other tasks were only named, by a callback or by an ambiguous
	// response.
	own bool
	// noVideo means that the task can't give this job a video: it failed, belongs to
	// another job or does not exist.
	noVideo bool
	// submittedAt and endedAt are zero if the history lacks them.
	submittedAt, endedAt time.Time
}

// task returns the task with an id and adds it if it is new. For an empty id, or
// beyond maxTasks, the result belongs to no run.
func (r *runTasks) task(id string) *historyTask {
	if i := slices.IndexFunc(r.all, func(t *historyTask) bool { return t.id == id }); i >= 0 {
		return r.all[i]
	}
	added := &historyTask{id: id}
	if id != "" && len(r.all) < maxTasks {
		r.all = append(r.all, added)
	}
	return added
}

// ownTask returns a task that belongs to the run.
func (r *runTasks) ownTask(id string) *historyTask {
	if id != "" {
		r.taskID = id
	}
	task := r.task(id)
	task.own = true
	return task
}

// readTasks reads the history of a run. It works from the names of activities and
// signals, because no worker answers queries for a run that was terminated.
func (s *Starter) readTasks(ctx context.Context, workflowID, runID string) (runTasks, error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	reader := taskReader{starter: s, running: map[int64]scheduledActivity{}}
	events := s.temporal.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return reader.tasks, fmt.Errorf("read the history of %s: %w", workflowID, err)
		}
		reader.read(event)
	}
	for _, activity := range reader.running {
		reader.tasks.unknown = reader.tasks.unknown || activity.name == submitActivity
	}
	return reader.tasks, nil
}

// taskReader collects the tasks of a run event by event.
type taskReader struct {
	starter *Starter
	tasks   runTasks
	// running are the activities without an end, by the id of the event that
	// scheduled them.
	running map[int64]scheduledActivity
}

type scheduledActivity struct{ name, taskID string }

// decode returns the value in payloads; ok is false if it is of another type.
func decode[T any](r *taskReader, payloads *commonpb.Payloads) (value T, ok bool) {
	err := r.starter.data.FromPayloads(payloads, &value)
	return value, err == nil
}

func (r *taskReader) read(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		if input, ok := decode[workflows.ModifyVideoInput](r, event.GetWorkflowExecutionStartedEventAttributes().GetInput()); ok && input.TaskID != "" {
			r.tasks.ownTask(input.TaskID)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		r.readSignal(event.GetWorkflowExecutionSignaledEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		r.running[event.GetEventId()] = r.readScheduled(event.GetActivityTaskScheduledEventAttributes())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		r.tasks.failure = r.starter.failure(event)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		completed := event.GetActivityTaskCompletedEventAttributes()
		r.readResult(r.ended(completed.GetScheduledEventId()), completed.GetResult())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		failed := event.GetActivityTaskFailedEventAttributes()
		r.readFailure(r.ended(failed.GetScheduledEventId()), failed.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		timedOut := event.GetActivityTaskTimedOutEventAttributes()
		r.readFailure(r.ended(timedOut.GetScheduledEventId()), timedOut.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		// A submission that has sent its request is not cancelled but runs to its
		// end, so a cancelled one has sent nothing.
		r.ended(event.GetActivityTaskCanceledEventAttributes().GetScheduledEventId())
	}
}

// ended removes and returns a running activity.
func (r *taskReader) ended(scheduledEventID int64) scheduledActivity {
	activity := r.running[scheduledEventID]
	delete(r.running, scheduledEventID)
	return activity
}

func (r *taskReader) readSignal(signal *historypb.WorkflowExecutionSignaledEventAttributes) {
	switch signal.GetSignalName() {
	case workflows.CallbackSignal.Name:
		if callback, ok := decode[workflows.Callback](r, signal.GetInput()); ok {
			r.tasks.task(callback.TaskID)
		}
	case workflows.EvidenceSignal.Name:
		if evidence, ok := decode[activities.Evidence](r, signal.GetInput()); ok && evidence.Phase == activities.PhaseAccepted {
			r.tasks.task(evidence.TaskID).submittedAt = evidence.At
		}
	}
}

func (r *taskReader) readScheduled(event *historypb.ActivityTaskScheduledEventAttributes) scheduledActivity {
	activity := scheduledActivity{name: event.GetActivityType().GetName()}
	switch activity.name {
	case pollActivity:
		// A run polls its task, however it found it.
		if poll, ok := decode[activities.PollInput](r, event.GetInput()); ok && poll.TaskID != "" {
			activity.taskID = poll.TaskID
			r.tasks.ownTask(poll.TaskID)
		}
	case identifyActivity:
		if identify, ok := decode[activities.IdentifyInput](r, event.GetInput()); ok {
			activity.taskID = identify.TaskID
		}
	}
	return activity
}

func (r *taskReader) readResult(activity scheduledActivity, result *commonpb.Payloads) {
	switch activity.name {
	case submitActivity:
		if submitted, ok := decode[activities.Submitted](r, result); ok {
			r.tasks.ownTask(submitted.TaskID).submittedAt = submitted.SubmittedAt
		} else {
			r.tasks.unknown = true
		}
	case pollActivity:
		if finished, ok := decode[activities.Finished](r, result); ok {
			task := r.tasks.task(activity.taskID)
			task.submittedAt = cmp.Or(finished.CreatedAt, task.submittedAt)
			task.endedAt = cmp.Or(finished.CompletedAt, task.endedAt)
		}
	case identifyActivity:
		if identified, ok := decode[activities.Identified](r, result); ok {
			task := r.tasks.task(activity.taskID)
			task.submittedAt = cmp.Or(identified.CreatedAt, task.submittedAt)
		}
	}
}

func (r *taskReader) readFailure(activity scheduledActivity, failure *failurepb.Failure) {
	if activity.name == submitActivity {
		r.readSubmitFailure(failure)
		return
	}
	switch failure.GetApplicationFailureInfo().GetType() {
	case activities.GenerationFailed, activities.UnknownTask, activities.ForeignTask:
		r.tasks.task(activity.taskID).noVideo = true
	}
}

// readSubmitFailure reads the evidence of a failed submission. Evidence that can't
// be read makes the outcome unknown. Only the outermost failure counts: the cause
// of a timeout is the failure of an earlier attempt.
func (r *taskReader) readSubmitFailure(failure *failurepb.Failure) {
	var details *commonpb.Payloads
	switch timeout, application := failure.GetTimeoutFailureInfo(), failure.GetApplicationFailureInfo(); {
	case timeout != nil:
		details = timeout.GetLastHeartbeatDetails()
		if len(details.GetPayloads()) == 0 {
			// A submission records evidence before it sends anything.
			return
		}
	case application != nil:
		switch application.GetType() {
		case activities.Held, activities.NotSent, activities.SubmitRefused, activities.VideoExpired:
			return
		}
		details = application.GetDetails()
	}
	evidence, ok := decode[activities.Evidence](r, details)
	switch {
	case len(details.GetPayloads()) == 0 || !ok:
		r.tasks.unknown = true
	case evidence.Phase == activities.PhaseAccepted:
		r.tasks.ownTask(evidence.TaskID).submittedAt = evidence.At
	case evidence.Phase != activities.PhaseRefused:
		r.tasks.unknown = true
		r.tasks.task(evidence.TaskID).submittedAt = evidence.At
	}
}
