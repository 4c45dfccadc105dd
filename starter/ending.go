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
	report.TaskID, report.Model = cmp.Or(report.Result.TaskID, report.TaskID), cmp.Or(report.Result.Model, report.Model)
	report.Credits = cmp.Or(report.Result.Credits, report.Credits)
	return nil
}

// failureOf describes the end of a run without a result.
func failureOf(event *historypb.HistoryEvent, payloads codec.Converters) *Failure {
	failureType, text := runs.Reason(event, payloads)
	return &Failure{cmp.Or(failureType, endTypes[eventStates[event.GetEventType()]]), text}
}

var eventStates = map[enumspb.EventType]State{
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:   StateCanceled,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: StateTerminated,
	enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:  StateTimedOut,
}

// endType is the type of the Failure of a run; empty if it is open or completed.
func endType(run runs.Run) string {
	state := stateOf(run.Info.GetStatus())
	if state == StateFailed {
		return cmp.Or(run.Failure, runs.OtherFailure)
	}
	return endTypes[state]
}
