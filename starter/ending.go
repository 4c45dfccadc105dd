package starter

import (
	"cmp"
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"lumaflow/internal/oneline"
	"lumaflow/internal/paid/runs"
	"lumaflow/internal/temporal/codec"
)

// addEnd adds the result or the failure of a closed job.
func (s *Starter) addEnd(ctx context.Context, report *Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	event, err := s.runs.End(ctx, report.WorkflowID, report.RunID, false)
	if err != nil {
		return failed("find out how job "+oneline.Clean(report.WorkflowID)+" ended", err)
	}
	completed := event.GetWorkflowExecutionCompletedEventAttributes()
	if completed == nil {
		report.Failure = failureOf(event, s.of(report.WorkflowID))
		return nil
	}
	if err := s.of(report.WorkflowID).Data.FromPayloads(completed.GetResult(), &report.Result); err != nil {
		return failed("read the result of job "+oneline.Clean(report.WorkflowID), err)
	}
	report.TaskID = cmp.Or(report.Result.TaskID, report.TaskID)
	return nil
}

// failureOf describes the end of a run without a result.
func failureOf(event *historypb.HistoryEvent, payloads codec.Converters) *Failure {
	switch event.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failure := event.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		// The type is that of the outermost failure: the job may have handled an inner
		// one.
		return &Failure{cmp.Or(failure.GetApplicationFailureInfo().GetType(), failureOther), innermost(payloads.Failures.FailureToError(failure))}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		text := "it was cancelled"
		if details := event.GetWorkflowExecutionCanceledEventAttributes().GetDetails(); len(details.GetPayloads()) > 0 {
			// The first detail is the message of the job, if it left one.
			_ = payloads.Data.FromPayloads(details, &text)
		}
		return &Failure{FailureCanceled, oneline.Clean(text)}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		terminated, text := event.GetWorkflowExecutionTerminatedEventAttributes(), "it was terminated in Temporal"
		if by := terminated.GetIdentity(); by != "" {
			text += " by " + oneline.Clean(by)
		}
		if reason := terminated.GetReason(); reason != "" {
			text += " (" + oneline.Clean(reason) + ")"
		}
		return &Failure{FailureTerminated, text}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return &Failure{FailureTimedOut, "it exceeded the timeout that was set at its start"}
	default:
		return &Failure{event.GetEventType().String(), "the run ended with an event that lumaflow does not handle"}
	}
}

// endType is the type of the Failure of a run; empty if it is open or completed.
func endType(run runs.Run) string {
	state := stateOf(run.Info.GetStatus())
	if state == StateFailed {
		return cmp.Or(run.Failure, failureOther)
	}
	return endTypes[state]
}
