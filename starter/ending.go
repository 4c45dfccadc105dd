package starter

import (
	"cmp"
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/internal/oneline"
	"lumaflow/workflows"
)

// lastEvent returns the event that closed a run. With wait it blocks until the run
// closes, else the run must have closed.
func (s *Starter) lastEvent(ctx context.Context, run Report, wait bool) (*historypb.HistoryEvent, error) {
	events := s.temporal.GetWorkflowHistory(ctx, run.WorkflowID, run.RunID, wait, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	var last *historypb.HistoryEvent
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("read how %s ended: %w", run.WorkflowID, err)
		}
		last = event
	}
	if last == nil {
		return nil, fmt.Errorf("read how %s ended: the run has not ended", run.WorkflowID)
	}
	return last, nil
}

// addEnd adds the result or the failure of a closed job.
func (s *Starter) addEnd(ctx context.Context, report *Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	event, err := s.lastEvent(ctx, *report, false)
	if err != nil {
		return failed("find out how job "+oneline.Clean(report.WorkflowID)+" ended", err)
	}
	if completed := event.GetWorkflowExecutionCompletedEventAttributes(); completed != nil {
		var result workflows.ModifyVideoResult
		if err := s.data.FromPayloads(completed.GetResult(), &result); err != nil {
			return failed("read the result of job "+oneline.Clean(report.WorkflowID), err)
		}
		report.Result = &result
		report.TaskID = cmp.Or(result.TaskID, report.TaskID)
		return nil
	}
	report.Failure = s.failure(event)
	return nil
}

// failure describes the end of a run without a result.
func (s *Starter) failure(event *historypb.HistoryEvent) *Failure {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failure := event.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		// The type is that of the outermost failure: the job may have handled an inner
		// one.
		return &Failure{cmp.Or(failure.GetApplicationFailureInfo().GetType(), "Failed"), innermost(s.failures.FailureToError(failure))}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		return &Failure{FailureCanceled, s.cancelText(event.GetWorkflowExecutionCanceledEventAttributes().GetDetails())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		return &Failure{FailureTerminated, terminationText(event.GetWorkflowExecutionTerminatedEventAttributes())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return &Failure{FailureTimedOut, "it exceeded the timeout that was set at its start"}
	default:
		return &Failure{event.GetEventType().String(), "the run ended with an event that lumaflow does not handle"}
	}
}

// cancelText is the message that the job left when it was cancelled.
func (s *Starter) cancelText(details *commonpb.Payloads) string {
	var text string
	if len(details.GetPayloads()) > 0 && s.data.FromPayloads(details, &text) == nil && text != "" {
		return oneline.Clean(text)
	}
	return "it was cancelled"
}

func terminationText(terminated *historypb.WorkflowExecutionTerminatedEventAttributes) string {
	text := "it was terminated in Temporal"
	if terminated.GetIdentity() != "" {
		text += " by " + oneline.Clean(terminated.GetIdentity())
	}
	if terminated.GetReason() != "" {
		text += " (" + oneline.Clean(terminated.GetReason()) + ")"
	}
	return text
}
