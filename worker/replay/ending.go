package replay

import (
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// ending records how the workflow ends in a replay. The SDK's replayer compares
// the end of completed workflows only: it does not report that a failed or
// cancelled one would not end, or end in another way.
type ending struct {
	interceptor.WorkerInterceptorBase
	// kind is zero while the workflow has not ended.
	kind enumspb.EventType
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (e *ending) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &endingInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, e}
}

type endingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	result *ending
}

// ExecuteWorkflow does not return if the replay ends before the workflow.
func (i *endingInbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	result, err := i.Next.ExecuteWorkflow(ctx, in)
	switch {
	case err == nil:
		i.result.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	case temporal.IsCanceledError(err):
		i.result.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
	case workflow.IsContinueAsNewError(err):
		i.result.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
	default:
		i.result.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
	}
	return result, err
}

// compare compares the end of the replay with that of the history.
func (e *ending) compare(recorded enumspb.EventType) error {
	switch {
	case e.kind == recorded:
		return nil
	case e.kind == 0:
		return fmt.Errorf("its history ends with %s, this build continues", recorded)
	case recorded == 0:
		return fmt.Errorf("its history continues where this build ends it with %s", e.kind)
	default:
		return fmt.Errorf("its history ends with %s, this build ends it with %s", recorded, e.kind)
	}
}

// decided cuts a history after the commands of the last completed workflow task,
// and returns the closing event, if the workflow itself closed the run. Later
// events have no commands to compare with, nor has the end of a run that was
// terminated or timed out. The SDK's replayer accepts most such histories, but
// reports a cancel request that no worker has handled yet as non-determinism.
func decided(events []*historypb.HistoryEvent) (compared []*historypb.HistoryEvent, end enumspb.EventType) {
	if len(events) == 0 {
		return nil, 0
	}
	switch last := events[len(events)-1].GetEventType(); last {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return events, last
	}
	length := 0
	for i, event := range events {
		completed := event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
		if completed || length == i && isCommand(event.GetEventType()) {
			length = i + 1
		}
	}
	return events[:length], 0
}

// isCommand reports whether an event records a command of a workflow task.
func isCommand(kind enumspb.EventType) bool {
	switch kind {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
		enumspb.EVENT_TYPE_TIMER_STARTED,
		enumspb.EVENT_TYPE_TIMER_CANCELED,
		enumspb.EVENT_TYPE_MARKER_RECORDED,
		enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
		enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
		enumspb.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_REJECTED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		return true
	default:
		return false
	}
}
