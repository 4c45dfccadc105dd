package starter

import (
	"context"
	"errors"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/workflows"
)

// errStillOpen means that a run has no last event yet.
var errStillOpen = errors.New("the run has not ended")

// lastEvent is how a run ended. With wait it comes when the run ends, else the
// run must have ended.
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
		return nil, fmt.Errorf("read how %s ended: %w", run.WorkflowID, errStillOpen)
	}
	return last, nil
}

// addEnd adds how a closed job ended.
func (s *Starter) addEnd(ctx context.Context, report *Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	event, err := s.lastEvent(ctx, *report, false)
	if err != nil {
		return failed("find out how job "+plain(report.WorkflowID)+" ended", err)
	}
	if completed := event.GetWorkflowExecutionCompletedEventAttributes(); completed != nil {
		var result workflows.ModifyVideoResult
		if err := s.data.FromPayloads(completed.GetResult(), &result); err != nil {
			return failed("read the result of job "+plain(report.WorkflowID), err)
		}
		report.Result = &result
		report.learn(result.TaskID)
		return nil
	}
	report.Failure = s.failure(event)
	return nil
}

// failure puts plainly how a run ended without a result.
func (s *Starter) failure(event *historypb.HistoryEvent) *Failure {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		return s.applicationFailure(event.GetWorkflowExecutionFailedEventAttributes().GetFailure())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		return &Failure{FailureCanceled, s.cancelText(event.GetWorkflowExecutionCanceledEventAttributes().GetDetails())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		return &Failure{FailureTerminated, terminationText(event.GetWorkflowExecutionTerminatedEventAttributes())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return &Failure{FailureTimedOut, "it took longer than the client that started it had allowed"}
	default:
		return &Failure{event.GetEventType().String(), "the run was ended in a way that lumaflow does not know"}
	}
}

// applicationFailure takes the type from the outermost failure only: what an
// inner one means depends on how the job took it.
func (s *Starter) applicationFailure(failure *failurepb.Failure) *Failure {
	text := innermost(s.failures.FailureToError(failure))
	if application := failure.GetApplicationFailureInfo(); application != nil {
		return &Failure{application.GetType(), text}
	}
	return &Failure{"Failed", text}
}

// cancelText is what the job said when it was cancelled.
func (s *Starter) cancelText(details *commonpb.Payloads) string {
	var text string
	if len(details.GetPayloads()) > 0 && s.data.FromPayloads(details, &text) == nil && text != "" {
		return plain(text)
	}
	return "it was cancelled"
}

func terminationText(terminated *historypb.WorkflowExecutionTerminatedEventAttributes) string {
	text := "it was terminated in Temporal"
	if terminated.GetIdentity() != "" {
		text += " by " + plain(terminated.GetIdentity())
	}
	if terminated.GetReason() != "" {
		text += " (" + plain(terminated.GetReason()) + ")"
	}
	return text
}
