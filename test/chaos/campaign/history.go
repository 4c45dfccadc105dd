package campaign

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// rescue is the mechanism by which a job recovered from a fault.
type rescue string

// The rescues.
const (
	byCallback  rescue = "callback"
	byPoll      rescue = "poll"
	byHeartbeat rescue = "heartbeat"
	byRetry     rescue = "retry"
	byOperator  rescue = "operator"
)

var rescues = []rescue{byCallback, byPoll, byHeartbeat, byRetry, byOperator}

// jobHistory is the decrypted history of a job and the facts in it.
type jobHistory struct {
	events *historypb.History
	// closed is the close status of the run, failure its failure.
	closed  enumspb.WorkflowExecutionStatus
	failure *failurepb.Failure
	result  *workflows.ModifyVideoResult
	// unknown is true if a submission that may have been charged had an unknown
	// outcome; resolved is the operator's decision about it, if there was one.
	unknown  bool
	resolved string
	rescued  map[rescue]bool
	// broken describes a failed workflow task or a run that ended from outside.
	broken string
}

func (w *world) readHistory(ctx context.Context, id string) (*jobHistory, error) {
	h := &jobHistory{events: &historypb.History{}, rescued: map[rescue]bool{}}
	events := w.client.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", id, err)
		}
		h.events.Events = append(h.events.Events, event)
	}
	if len(h.events.Events) == 0 {
		return nil, fmt.Errorf("read the history of %s: %w", id, io.ErrUnexpectedEOF)
	}
	if err := w.codec.DecodeHistory(ctx, converter.WorkflowSerializationContext{Namespace: client.DefaultNamespace, WorkflowID: id}, h.events); err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", id, err)
	}
	h.parse()
	return h, nil
}

var payloads = converter.GetDefaultDataConverter()

func (h *jobHistory) parse() {
	activityTypes := map[int64]string{}
	decisions := map[int64]workflows.Resolution{}
	callbackReceived := false
	for _, event := range h.events.Events {
		switch event.EventType {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			activityTypes[event.EventId] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			started := event.GetActivityTaskStartedEventAttributes()
			// Retries of Poll are the regular wait of a job, no rescue.
			if started.GetAttempt() > 1 && activityTypes[started.GetScheduledEventId()] != "Poll" {
				h.rescued[byRetry] = true
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			failed := event.GetActivityTaskFailedEventAttributes()
			switch failed.GetFailure().GetApplicationFailureInfo().GetType() {
			case activities.SubmitUnknown:
				h.unknown = true
			case activities.Held:
				h.rescued[byRetry] = true
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
			timedOut := event.GetActivityTaskTimedOutEventAttributes()
			if activityTypes[timedOut.GetScheduledEventId()] == "Submit" {
				h.parseEvidence(timedOut.GetFailure().GetTimeoutFailureInfo())
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			signal := event.GetWorkflowExecutionSignaledEventAttributes()
			callbackReceived = callbackReceived || signal.GetSignalName() == workflows.CallbackSignal.Name
			if signal.GetSignalName() == activities.EvidenceSignal && h.unknown {
				h.parseLateEvidence(signal.GetInput())
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
			var decision workflows.Resolution
			request := event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest()
			if payloads.FromPayloads(request.GetInput().GetArgs(), &decision) == nil {
				decisions[event.EventId] = decision
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
			completed := event.GetWorkflowExecutionUpdateCompletedEventAttributes()
			if completed.GetOutcome().GetSuccess() != nil {
				h.resolved = decisions[completed.GetAcceptedEventId()].Action
				h.rescued[byOperator] = true
			}
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			h.parseTaskFailure(event.GetWorkflowTaskFailedEventAttributes())
		default:
			h.parseEnd(event)
		}
	}
	// Without another rescue it was the callback that named the task.
	if h.unknown && callbackReceived && h.result != nil && !h.rescued[byHeartbeat] && !h.rescued[byOperator] {
		h.rescued[byCallback] = true
	}
}

func (h *jobHistory) parseEnd(event *historypb.HistoryEvent) {
	switch event.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		h.closed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		var result workflows.ModifyVideoResult
		if payloads.FromPayloads(event.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &result) == nil {
			h.result = &result
			// Every job expects a callback, so a poll that wakes it is a rescue.
			if result.WokenBy == string(byPoll) {
				h.rescued[byPoll] = true
			}
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		h.closed = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
		h.failure = event.GetWorkflowExecutionFailedEventAttributes().GetFailure()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		h.broken = "the run ended as " + event.EventType.String()
	}
}

// parseEvidence reads the last heartbeat of a submission that timed out.
func (h *jobHistory) parseEvidence(timeout *failurepb.TimeoutFailureInfo) {
	var evidence activities.Evidence
	if timeout.GetLastHeartbeatDetails() != nil {
		_ = payloads.FromPayloads(timeout.GetLastHeartbeatDetails(), &evidence)
	}
	switch evidence.Phase {
	case activities.PhaseAccepted:
		h.rescued[byHeartbeat] = true
	case activities.PhaseSending:
		h.unknown = true
	default:
		h.rescued[byRetry] = true
	}
}

// parseLateEvidence reads a worker's signal about an unknown submission.
func (h *jobHistory) parseLateEvidence(input *commonpb.Payloads) {
	var evidence activities.Evidence
	if payloads.FromPayloads(input, &evidence) != nil {
		return
	}
	h.rescued[byHeartbeat] = true
	if evidence.Phase == activities.PhaseRefused {
		// A refused submission is not charged.
		h.unknown = false
	}
}

// deadlockDetected is the SDK's code for a workflow task that did not yield for a
// second. A paused process causes it; the task is retried.
const deadlockDetected = "TMPRL1101"

// parseTaskFailure reports workflow tasks that failed because of the code.
func (h *jobHistory) parseTaskFailure(failed *historypb.WorkflowTaskFailedEventAttributes) {
	if strings.Contains(failed.GetFailure().GetMessage(), deadlockDetected) {
		return
	}
	switch failed.GetCause() {
	case enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
		enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE:
		h.broken = fmt.Sprintf("a workflow task failed (%s): %s", failed.GetCause(), failed.GetFailure().GetMessage())
	}
}

// openAt reports whether the job was open at a time.
func (h *jobHistory) openAt(at time.Time) bool {
	first, last := h.events.Events[0], h.events.Events[len(h.events.Events)-1]
	return !at.Before(first.GetEventTime().AsTime()) && !at.After(last.GetEventTime().AsTime())
}
