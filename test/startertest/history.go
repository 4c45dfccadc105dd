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
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// History is the history of a run that a test writes event by event.
type History struct {
	t      *testing.T
	Events []*historypb.HistoryEvent
}

// NewHistory returns a history that begins with the start of a job.
func NewHistory(t *testing.T, input any) *History {
	h := &History{t: t}
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, &historypb.WorkflowExecutionStartedEventAttributes{Input: h.Payloads(input)})
	return h
}

// Payloads encodes values with the default data converter.
func (h *History) Payloads(values ...any) *commonpb.Payloads {
	h.t.Helper()
	payloads, err := converter.GetDefaultDataConverter().ToPayloads(values...)
	require.NoError(h.t, err)
	return payloads
}

// Add appends an event with its attributes and returns its id.
func (h *History) Add(kind enumspb.EventType, attributes proto.Message) int64 {
	event := &historypb.HistoryEvent{EventType: kind, EventId: int64(len(h.Events) + 1)}
	message, value := event.ProtoReflect(), attributes.ProtoReflect()
	fields := message.Descriptor().Oneofs().ByName("attributes").Fields()
	for i := range fields.Len() {
		if fields.Get(i).Message() == value.Descriptor() {
			message.Set(fields.Get(i), protoreflect.ValueOfMessage(value))
		}
	}
	h.Events = append(h.Events, event)
	return event.EventId
}

// Schedule appends the start of an activity. Its end refers to the returned id.
func (h *History) Schedule(activity string, input any) int64 {
	return h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, &historypb.ActivityTaskScheduledEventAttributes{
		ActivityType: &commonpb.ActivityType{Name: activity},
		Input:        h.Payloads(input),
	})
}

// Complete ends an activity with a result.
func (h *History) Complete(id int64, result any) {
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, &historypb.ActivityTaskCompletedEventAttributes{ScheduledEventId: id, Result: h.Payloads(result)})
}

// Fail ends an activity with an error.
func (h *History) Fail(id int64, err error) {
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED, &historypb.ActivityTaskFailedEventAttributes{ScheduledEventId: id, Failure: FailureOf(err)})
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
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT, &historypb.ActivityTaskTimedOutEventAttributes{ScheduledEventId: id, Failure: failure})
}

// Cancel ends an activity as canceled.
func (h *History) Cancel(id int64) {
	h.Add(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED, &historypb.ActivityTaskCanceledEventAttributes{ScheduledEventId: id})
}

// EndCompleted ends the run with a result.
func (h *History) EndCompleted(result any) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, &historypb.WorkflowExecutionCompletedEventAttributes{Result: h.Payloads(result)})
}

// EndFailed ends the run with an error.
func (h *History) EndFailed(err error) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, &historypb.WorkflowExecutionFailedEventAttributes{Failure: FailureOf(err)})
}

// EndCanceled ends the run as canceled.
func (h *History) EndCanceled(details ...any) {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, &historypb.WorkflowExecutionCanceledEventAttributes{Details: h.Payloads(details...)})
}

// EndTerminated ends the run as terminated by an operator.
func (h *History) EndTerminated() {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, &historypb.WorkflowExecutionTerminatedEventAttributes{Reason: "by mistake", Identity: "ops@host"})
}

// EndTimedOut ends the run by its timeout.
func (h *History) EndTimedOut() {
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT, &historypb.WorkflowExecutionTimedOutEventAttributes{})
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
	h.Add(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, &historypb.WorkflowExecutionSignaledEventAttributes{SignalName: name, Input: h.Payloads(payload)})
}
