package startertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	sdk "go.temporal.io/sdk/temporal"

	"lumaflow/workflows"
)

// History is the history of a run that a test writes event by event.
type History struct {
	t      *testing.T
	Events []*historypb.HistoryEvent
}

// NewHistory returns a history that begins with the start of a job.
func NewHistory(t *testing.T, input workflows.ModifyVideoInput) *History {
	h := &History{t: t}
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
			WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: h.Payloads(input)},
		},
	})
	return h
}

// Payloads encodes values with the default data converter.
func (h *History) Payloads(values ...any) *commonpb.Payloads {
	h.t.Helper()
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(values...)
	require.NoError(h.t, err)
	return payloads
}

// Add appends an event and returns its id.
func (h *History) Add(kind enumspb.EventType, event *historypb.HistoryEvent) int64 {
	event.EventType, event.EventId = kind, int64(len(h.Events)+1)
	h.Events = append(h.Events, event)
	return event.EventId
}

// Schedule appends the start of an activity. Its end refers to the returned id.
func (h *History) Schedule(activity string, input any) int64 {
	return h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
				ActivityType: &commonpb.ActivityType{Name: activity},
				Input:        h.Payloads(input),
			},
		},
	})
}

// Complete ends an activity with a result.
func (h *History) Complete(id int64, result any) {
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
			ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: id, Result: h.Payloads(result)},
		},
	})
}

// Fail ends an activity with an error.
func (h *History) Fail(id int64, err error) {
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskFailedEventAttributes{
			ActivityTaskFailedEventAttributes: &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: id, Failure: FailureOf(err)},
		},
	})
}

// TimeOut ends an activity with its last heartbeat, and with the failure of an
// earlier attempt as the cause.
func (h *History) TimeOut(id int64, cause error, last ...any) {
	info := &failurepb.TimeoutFailureInfo{TimeoutType: enumspb.TIMEOUT_TYPE_HEARTBEAT}
	if len(last) > 0 {
		info.LastHeartbeatDetails = h.Payloads(last...)
	}
	failure := &failurepb.Failure{Message: "activity Heartbeat timeout", FailureInfo: &failurepb.Failure_TimeoutFailureInfo{TimeoutFailureInfo: info}}
	if cause != nil {
		failure.Cause = FailureOf(cause)
	}
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskTimedOutEventAttributes{
			ActivityTaskTimedOutEventAttributes: &historypb.ActivityTaskTimedOutEventAttributes{ScheduledEventId: id, Failure: failure},
		},
	})
}

// Cancel ends an activity as canceled.
func (h *History) Cancel(id int64) {
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_ActivityTaskCanceledEventAttributes{
			ActivityTaskCanceledEventAttributes: &historypb.ActivityTaskCanceledEventAttributes{ScheduledEventId: id},
		},
	})
}

// EndCompleted ends the run with a result.
func (h *History) EndCompleted(result any) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: h.Payloads(result)},
		},
	})
}

// EndFailed ends the run with an error.
func (h *History) EndFailed(err error) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
			WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: FailureOf(err)},
		},
	})
}

// EndCanceled ends the run as canceled.
func (h *History) EndCanceled(details ...any) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{
			WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{Details: h.Payloads(details...)},
		},
	})
}

// EndTerminated ends the run as terminated by an operator.
func (h *History) EndTerminated() {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
			WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{Reason: "by mistake", Identity: "ops@host"},
		},
	})
}

// EndTimedOut ends the run by its timeout.
func (h *History) EndTimedOut() {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionTimedOutEventAttributes{
			WorkflowExecutionTimedOutEventAttributes: &historypb.WorkflowExecutionTimedOutEventAttributes{},
		},
	})
}

// FailureOf converts an error as a worker does.
func FailureOf(err error) *failurepb.Failure {
	return sdk.GetDefaultFailureConverter().ErrorToFailure(err)
}

// ApplicationError returns an error that is not retried.
func ApplicationError(errorType, message string, details ...any) error {
	return sdk.NewNonRetryableApplicationError(message, errorType, nil, details...)
}

// Signal appends a signal.
func (h *History) Signal(name string, payload any) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.HistoryEvent{
		Attributes: &historypb.HistoryEvent_WorkflowExecutionSignaledEventAttributes{
			WorkflowExecutionSignaledEventAttributes: &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: name, Input: h.Payloads(payload)},
		},
	})
}
