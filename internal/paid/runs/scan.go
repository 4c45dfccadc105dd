package runs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid"
	"lumaflow/internal/temporal/codec"
)

// History reads the whole history of a run. It works from the names of activities
// and signals and needs no worker. The error wraps *serviceerror.NotFound if the
// run is deleted.
func (r Reader) History(ctx context.Context, workflowID, runID string) (History, error) {
	scan := scan{data: r.data(workflowID), running: map[int64]*activity{}}
	events := r.Server.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return scan.found, fmt.Errorf("read the history of %s: %w", workflowID, err)
		}
		scan.read(event)
	}
	for _, running := range scan.running {
		if running.name == submitName && running.maySend() {
			scan.found.outcomes.lose(running.intent)
		}
	}
	scan.found.Unknown = scan.found.outcomes.unknown()
	return scan.found, nil
}

// scan collects the payments of a run event by event.
type scan struct {
	data  converter.DataConverter
	found History
	// running are the activities without an end, by the id of the event that
	// scheduled them.
	running map[int64]*activity
}

// activity is an activity of the run.
type activity struct {
	name, taskID string
	// recordsIntent means that the submission signals its intent before it sends, so
	// that no intent proves that nothing was sent. Submissions of lumaflow v0.1 do not.
	recordsIntent bool
	intended      bool
	intent        Submission
}

// maySend reports whether an activity without an outcome may have sent its request.
func (a *activity) maySend() bool { return a.intended || !a.recordsIntent }

func decode[T any](s *scan, payloads *commonpb.Payloads) (value T, ok bool) {
	err := s.data.FromPayloads(payloads, &value)
	if unreadable := codec.Unreadable(err); unreadable != nil {
		s.found.undecrypted = unreadable
	}
	return value, err == nil
}

func (s *scan) read(event *historypb.HistoryEvent) {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		started := event.GetWorkflowExecutionStartedEventAttributes()
		s.follow(started.GetContinuedExecutionRunId())
		if input, ok := decode[workflowInput](s, started.GetInput()); ok && input.TaskID != "" {
			s.found.ownTask(input.TaskID)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED:
		if facts, ok := paid.FromMemo(event.GetWorkflowPropertiesModifiedEventAttributes().GetUpsertedMemo(), s.data); ok && facts.TaskID != "" {
			s.found.adopt(facts.TaskID)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		s.follow(event.GetWorkflowTaskFailedEventAttributes().GetBaseRunId())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		s.readSignal(event.GetWorkflowExecutionSignaledEventAttributes())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		s.readUpdate(event.GetWorkflowExecutionUpdateAcceptedEventAttributes())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		s.found.closed = event.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo().GetType()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		s.running[event.GetEventId()] = s.readScheduled(event.GetActivityTaskScheduledEventAttributes())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		completed := event.GetActivityTaskCompletedEventAttributes()
		s.readResult(s.ended(completed.GetScheduledEventId()), completed.GetResult())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		failed := event.GetActivityTaskFailedEventAttributes()
		s.readFailure(s.ended(failed.GetScheduledEventId()), failed.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		timedOut := event.GetActivityTaskTimedOutEventAttributes()
		s.readFailure(s.ended(timedOut.GetScheduledEventId()), timedOut.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		// A submission that has sent its request is not cancelled but runs to its
		// end, so a cancelled one has sent nothing.
		s.ended(event.GetActivityTaskCanceledEventAttributes().GetScheduledEventId())
	}
}

func (s *scan) follow(runID string) {
	if runID != "" && !slices.Contains(s.found.previous, runID) {
		s.found.previous = append(s.found.previous, runID)
	}
}

// ended removes and returns a running activity.
func (s *scan) ended(scheduledEventID int64) *activity {
	ended, ok := s.running[scheduledEventID]
	if !ok {
		return &activity{}
	}
	delete(s.running, scheduledEventID)
	return ended
}

func (s *scan) readSignal(signal *historypb.WorkflowExecutionSignaledEventAttributes) {
	switch signal.GetSignalName() {
	case callbackSignal:
		if callback, ok := decode[taskRef](s, signal.GetInput()); ok {
			s.found.task(callback.TaskID)
		}
	case intentSignal:
		intent, _ := decode[evidence](s, signal.GetInput())
		for _, running := range s.running {
			if running.name == submitName && !running.intended {
				running.intended, running.intent = true, intent.submission()
			}
		}
	case evidenceSignal:
		if late, ok := decode[evidence](s, signal.GetInput()); ok {
			s.found.addProof(late)
		}
	}
}

func (s *scan) readUpdate(update *historypb.WorkflowExecutionUpdateAcceptedEventAttributes) {
	input := update.GetAcceptedRequest().GetInput()
	if resolved, _ := decode[resolution](s, input.GetArgs()); input.GetName() == resolveUpdate && resolved.Action == writeOffAction {
		s.found.writtenOff = true
	}
}

func (s *scan) readScheduled(event *historypb.ActivityTaskScheduledEventAttributes) *activity {
	scheduled := &activity{name: event.GetActivityType().GetName()}
	switch scheduled.name {
	case submitName:
		input, _ := decode[submitInput](s, event.GetInput())
		scheduled.recordsIntent = input.Run != ""
	case pollName, identifyName:
		input, _ := decode[taskRef](s, event.GetInput())
		scheduled.taskID = input.TaskID
		if scheduled.name == pollName && input.TaskID != "" {
			s.found.adopt(input.TaskID)
		}
	}
	return scheduled
}

func (s *scan) readResult(ended *activity, result *commonpb.Payloads) {
	switch ended.name {
	case submitName:
		if submitted, ok := decode[taskTimes](s, result); ok {
			s.found.ownTask(submitted.TaskID).submittedAt = submitted.SubmittedAt
		} else {
			s.found.outcomes.lose(Submission{})
		}
	case pollName, identifyName:
		if read, ok := decode[taskTimes](s, result); ok {
			t := s.found.task(ended.taskID)
			t.submittedAt = cmp.Or(read.CreatedAt, t.submittedAt)
			t.endedAt = cmp.Or(read.CompletedAt, t.endedAt)
		}
	case earlierRunsName:
		if earlier, ok := decode[Earlier](s, result); ok {
			s.found.addEarlier(earlier)
		}
	}
}

func (s *scan) readFailure(ended *activity, failure *failurepb.Failure) {
	if ended.name == submitName {
		s.readSubmitFailure(ended, failure)
		return
	}
	switch failure.GetApplicationFailureInfo().GetType() {
	case "GenerationFailed", "UnknownTask", "ForeignTask":
		s.found.task(ended.taskID).noVideo = true
	}
}

// readSubmitFailure reads the evidence of a failed submission. Evidence that can't
// be read makes the outcome unknown. Only the outermost failure counts: the cause
// of a timeout is the failure of an earlier attempt.
func (s *scan) readSubmitFailure(ended *activity, failure *failurepb.Failure) {
	var details *commonpb.Payloads
	switch timeout, application := failure.GetTimeoutFailureInfo(), failure.GetApplicationFailureInfo(); {
	case timeout != nil:
		details = timeout.GetLastHeartbeatDetails()
		if len(details.GetPayloads()) == 0 {
			// A submission records evidence before it sends anything, but a reset of the
			// heartbeats erases it. The intent is a signal and is not erased.
			if ended.intended {
				s.found.outcomes.lose(ended.intent)
			}
			return
		}
	case application != nil:
		switch application.GetType() {
		case "Held", "NotSent", "SubmitRefused", "VideoExpired", "LaterRun":
			return
		}
		details = application.GetDetails()
	}
	last, ok := decode[evidence](s, details)
	switch {
	case len(details.GetPayloads()) == 0 || !ok:
		s.found.outcomes.lose(ended.intent)
	case last.Phase == phaseAccepted:
		s.found.ownTask(last.TaskID).submittedAt = last.At
	case last.Phase != phaseRefused:
		s.found.outcomes.lose(last.submission())
		s.found.task(last.TaskID).submittedAt = last.At
	}
}
