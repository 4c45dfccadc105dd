package historyfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
)

func workflowDetails(event *historypb.HistoryEvent) []string {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		started := event.GetWorkflowExecutionStartedEventAttributes()
		return []string{started.GetWorkflowType().GetName(), data(started.GetInput())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return []string{data(event.GetWorkflowExecutionCompletedEventAttributes().GetResult())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return []string{failureText(event.GetWorkflowExecutionFailedEventAttributes().GetFailure())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		return []string{data(event.GetWorkflowExecutionCanceledEventAttributes().GetDetails())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		return []string{event.GetWorkflowExecutionTerminatedEventAttributes().GetReason()}
	default:
		return nil
	}
}

func workflowTaskDetails(event *historypb.HistoryEvent) []string {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
		failed := event.GetWorkflowTaskFailedEventAttributes()
		return []string{failed.GetCause().String(), failureText(failed.GetFailure())}
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
		return []string{event.GetWorkflowTaskTimedOutEventAttributes().GetTimeoutType().String()}
	default:
		return nil
	}
}

func (r renderer) activityDetails(event *historypb.HistoryEvent) []string {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		scheduled := event.GetActivityTaskScheduledEventAttributes()
		return []string{scheduled.GetActivityType().GetName(), "on", scheduled.GetTaskQueue().GetName(), summaryOf(event), data(scheduled.GetInput())}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		started := event.GetActivityTaskStartedEventAttributes()
		words := []string{r.activity(started.GetScheduledEventId()), fmt.Sprint("attempt ", started.GetAttempt())}
		if started.GetLastFailure() != nil {
			words = append(words, "after", failureText(started.GetLastFailure()))
		}
		return words
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		completed := event.GetActivityTaskCompletedEventAttributes()
		return []string{r.activity(completed.GetScheduledEventId()), data(completed.GetResult())}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		failed := event.GetActivityTaskFailedEventAttributes()
		return []string{r.activity(failed.GetScheduledEventId()), failureText(failed.GetFailure())}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		timedOut := event.GetActivityTaskTimedOutEventAttributes()
		return []string{r.activity(timedOut.GetScheduledEventId()), failureText(timedOut.GetFailure())}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED:
		return []string{r.activity(event.GetActivityTaskCancelRequestedEventAttributes().GetScheduledEventId())}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		canceled := event.GetActivityTaskCanceledEventAttributes()
		return []string{r.activity(canceled.GetScheduledEventId()), data(canceled.GetDetails())}
	default:
		return nil
	}
}

// activity names the activity of an event by its type and the event that
// scheduled it.
func (r renderer) activity(scheduled int64) string {
	name := r.events[scheduled].GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
	return fmt.Sprintf("%s (%d)", name, scheduled)
}

func (r renderer) timerDetails(event *historypb.HistoryEvent) []string {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		return []string{length(event), summaryOf(event)}
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		return []string{r.timer(event.GetTimerFiredEventAttributes().GetStartedEventId())}
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		return []string{r.timer(event.GetTimerCanceledEventAttributes().GetStartedEventId())}
	default:
		return nil
	}
}

// timer names the timer of an event by its length and the event that started it.
func (r renderer) timer(started int64) string {
	return fmt.Sprintf("%s (%d)", length(r.events[started]), started)
}

func length(timer *historypb.HistoryEvent) string {
	return timer.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration().Round(time.Millisecond).String()
}

func messageDetails(event *historypb.HistoryEvent) []string {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		signaled := event.GetWorkflowExecutionSignaledEventAttributes()
		return []string{signaled.GetSignalName(), data(signaled.GetInput())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		input := event.GetWorkflowExecutionUpdateAcceptedEventAttributes().GetAcceptedRequest().GetInput()
		return []string{input.GetName(), data(input.GetArgs())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		outcome := event.GetWorkflowExecutionUpdateCompletedEventAttributes().GetOutcome()
		return []string{data(outcome.GetSuccess()), failureText(outcome.GetFailure())}
	default:
		return nil
	}
}

// otherDetails is for local activities and search attributes.
func otherDetails(event *historypb.HistoryEvent) []string {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_MARKER_RECORDED:
		marker := event.GetMarkerRecordedEventAttributes()
		var local struct{ ActivityType string }
		// Only markers of local activities have this data.
		_ = converter.GetDefaultDataConverter().FromPayloads(marker.GetDetails()["data"], &local)
		return []string{
			marker.GetMarkerName(), local.ActivityType, summaryOf(event),
			data(marker.GetDetails()["result"]), failureText(marker.GetFailure()),
		}
	case enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
		fields := event.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields()
		var words []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			words = append(words, name+"="+strings.Trim(converter.GetDefaultDataConverter().ToString(fields[name]), `"`))
		}
		return words
	default:
		return nil
	}
}
