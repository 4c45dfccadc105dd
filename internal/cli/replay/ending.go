package replay

import (
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// ending watches whether and how the workflow ends in a replay. The SDK's
// replayer looks only at jobs that completed: it does not notice that one that
// failed or was cancelled would not end, or end otherwise.
type ending struct {
	interceptor.WorkerInterceptorBase
	kind enumspb.EventType
}

// InterceptWorkflow is called by the replayer.
func (e *ending) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &endingInbound{interceptor.WorkflowInboundInterceptorBase{Next: next}, e}
}

type endingInbound struct {
	interceptor.WorkflowInboundInterceptorBase
	seen *ending
}

// ExecuteWorkflow does not return if the replay ends before the workflow.
func (i *endingInbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	result, err := i.Next.ExecuteWorkflow(ctx, in)
	var canceled *temporal.CanceledError
	var again *workflow.ContinueAsNewError
	switch {
	case err == nil:
		i.seen.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	case errors.As(err, &canceled):
		i.seen.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
	case errors.As(err, &again):
		i.seen.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
	default:
		i.seen.kind = enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
	}
	return result, err
}

// compare holds the end that was seen against that of the history.
func (e *ending) compare(recorded enumspb.EventType) error {
	switch {
	case e.kind == recorded:
		return nil
	case e.kind == 0:
		return fmt.Errorf("its history ends with %s, this build goes on", recorded)
	case recorded == 0:
		return fmt.Errorf("its history goes on where this build ends it with %s", e.kind)
	default:
		return fmt.Errorf("its history ends with %s, this build ends it with %s", recorded, e.kind)
	}
}

// decided cuts a history down to what the workflow itself has decided, and says
// how it ended, if it did. What comes after the commands of the last completed
// workflow task has no answer yet that could be compared; nor has it in a job
// that was terminated or ran out of time. The SDK's replayer can do without this
// in most cases, but takes the answer to a request to cancel that no worker has
// seen yet for a difference.
func decided(events []*historypb.HistoryEvent) (answered []*historypb.HistoryEvent, end enumspb.EventType) {
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
	answers := 0
	for i, event := range events {
		answer := event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
		if answer || answers == i && isCommand(event.GetEventType()) {
			answers = i + 1
		}
	}
	return events[:answers], 0
}

// isCommand says that an event is what a workflow task has decided.
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
