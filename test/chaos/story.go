package chaos

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
	"go.temporal.io/sdk/converter"

	"lumaflow/activities"
	"lumaflow/workflows"
)

// rescue is what carried a job past something that went wrong.
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

// story is what the history of a job tells.
type story struct {
	history *historypb.History
	// closed is the status of the run, failure its type and words.
	closed  enumspb.WorkflowExecutionStatus
	failure *failurepb.Failure
	result  *workflows.ModifyVideoResult
	// lost says that a submission that may have been charged had an unknown
	// outcome, resolved what the operator decided about it, if one had to.
	lost     bool
	resolved string
	rescued  map[rescue]bool
	// broken is why a workflow task failed, if the code was to blame.
	broken string
}

// read fetches the history of a job, decrypted, and follows it.
func (w *world) read(ctx context.Context, id string) (*story, error) {
	s := &story{history: &historypb.History{}, rescued: map[rescue]bool{}}
	events := w.client.GetWorkflowHistory(ctx, id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", id, err)
		}
		s.history.Events = append(s.history.Events, event)
	}
	if len(s.history.Events) == 0 {
		return nil, fmt.Errorf("read the history of %s: %w", id, io.ErrUnexpectedEOF)
	}
	if err := w.codec.DecodeMessage(ctx, s.history); err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", id, err)
	}
	s.follow()
	return s, nil
}

var payloads = converter.GetDefaultDataConverter()

func (s *story) follow() {
	kinds := map[int64]string{}
	decisions := map[int64]workflows.Resolution{}
	called := false
	for _, event := range s.history.Events {
		switch event.EventType {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			kinds[event.EventId] = event.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
			started := event.GetActivityTaskStartedEventAttributes()
			// Polls are retries of one activity: that is waiting, not rescue.
			if started.GetAttempt() > 1 && kinds[started.GetScheduledEventId()] != "Poll" {
				s.rescued[byRetry] = true
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			failed := event.GetActivityTaskFailedEventAttributes()
			switch failed.GetFailure().GetApplicationFailureInfo().GetType() {
			case activities.SubmitUnknown:
				s.lost = true
			case activities.Held:
				s.rescued[byRetry] = true
			}
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
			timedOut := event.GetActivityTaskTimedOutEventAttributes()
			if kinds[timedOut.GetScheduledEventId()] == "Submit" {
				s.readEvidence(timedOut.GetFailure().GetTimeoutFailureInfo())
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			signal := event.GetWorkflowExecutionSignaledEventAttributes()
			called = called || signal.GetSignalName() == workflows.CallbackSignal.Name
			if signal.GetSignalName() == activities.EvidenceSignal && s.lost {
				s.hear(signal.GetInput())
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
				s.resolved = decisions[completed.GetAcceptedEventId()].Action
				s.rescued[byOperator] = true
			}
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			s.readTaskFailure(event.GetWorkflowTaskFailedEventAttributes())
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			s.closed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
			var result workflows.ModifyVideoResult
			if payloads.FromPayloads(event.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &result) == nil {
				s.result = &result
				// Every job expects a callback, so a poll that wakes it is a rescue.
				if result.WokenBy == string(byPoll) {
					s.rescued[byPoll] = true
				}
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
			s.closed = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
			s.failure = event.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
			enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
			s.broken = "the run ended as " + event.EventType.String()
		}
	}
	// A lost submission that nobody else found was found by its callback.
	if s.lost && called && s.result != nil && !s.rescued[byHeartbeat] && !s.rescued[byOperator] {
		s.rescued[byCallback] = true
	}
}

// hear takes the late word of a worker about a lost submission.
func (s *story) hear(input *commonpb.Payloads) {
	var evidence activities.Evidence
	if payloads.FromPayloads(input, &evidence) != nil {
		return
	}
	s.rescued[byHeartbeat] = true
	if evidence.Phase == activities.PhaseRefused {
		// It was never charged.
		s.lost = false
	}
}

// openAt says whether the job was under way at a time.
func (s *story) openAt(at time.Time) bool {
	first, last := s.history.Events[0], s.history.Events[len(s.history.Events)-1]
	return !at.Before(first.GetEventTime().AsTime()) && !at.After(last.GetEventTime().AsTime())
}

// readEvidence looks at what a dead attempt to submit has left.
func (s *story) readEvidence(timeout *failurepb.TimeoutFailureInfo) {
	var evidence activities.Evidence
	if timeout.GetLastHeartbeatDetails() != nil {
		_ = payloads.FromPayloads(timeout.GetLastHeartbeatDetails(), &evidence)
	}
	switch evidence.Phase {
	case activities.PhaseAccepted:
		s.rescued[byHeartbeat] = true
	case activities.PhaseSending:
		s.lost = true
	default:
		s.rescued[byRetry] = true
	}
}

// stalled is in the failure of a workflow task whose worker got no time from the
// machine for a second, as one that is paused does not. It is tried again.
const stalled = "TMPRL1101"

// readTaskFailure tells the failures of the code from those of its circumstances.
func (s *story) readTaskFailure(failed *historypb.WorkflowTaskFailedEventAttributes) {
	if strings.Contains(failed.GetFailure().GetMessage(), stalled) {
		return
	}
	switch failed.GetCause() {
	case enumspb.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR,
		enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE:
		s.broken = fmt.Sprintf("a workflow task failed (%s): %s", failed.GetCause(), failed.GetFailure().GetMessage())
	}
}
