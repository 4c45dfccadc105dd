package starter

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"lumaflow/workflows"
)

// addEnd adds how a closed job ended.
func (s *Starter) addEnd(ctx context.Context, report *Report) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	run := s.temporal.GetWorkflow(ctx, report.WorkflowID, report.RunID)
	var result workflows.ModifyVideoResult
	err := run.GetWithOptions(ctx, &result, client.WorkflowRunGetOptions{DisableFollowingRuns: true})
	var ended *temporal.WorkflowExecutionError
	switch {
	case err == nil:
		report.Result = &result
		report.learn(result.TaskID)
		return nil
	case errors.As(err, &ended):
		report.Failure = s.failure(ctx, *report, ended)
		return nil
	case report.State != StateCompleted:
		// The state is known, and nothing here would make it less bad.
		report.Failure = &Failure{Type: string(report.State), Message: "how it ended can't be read: " + said(err)}
		return nil
	default:
		return failed("read the result of job "+report.WorkflowID, err)
	}
}

// failure puts plainly how a run ended without a result.
func (s *Starter) failure(ctx context.Context, report Report, err error) *Failure {
	var application *temporal.ApplicationError
	var canceled *temporal.CanceledError
	var timeout *temporal.TimeoutError
	switch {
	case report.State == StateTerminated:
		return &Failure{FailureTerminated, s.whyTerminated(ctx, report)}
	case report.State == StateCanceled && errors.As(err, &canceled):
		return &Failure{FailureCanceled, cancelText(canceled)}
	case report.State == StateTimedOut && errors.As(err, &timeout):
		return &Failure{FailureTimedOut, "the run took longer than the client that started it had allowed"}
	case errors.As(err, &application):
		return &Failure{application.Type(), plain(application.Message())}
	default:
		return &Failure{string(report.State), said(err)}
	}
}

// cancelText is what the job said when it was cancelled.
func cancelText(err *temporal.CanceledError) string {
	var text string
	if err.HasDetails() && err.Details(&text) == nil && text != "" {
		return plain(text)
	}
	return "the job was cancelled"
}

// whyTerminated finds who terminated a job and the reason given. Only the
// history has it.
func (s *Starter) whyTerminated(ctx context.Context, report Report) string {
	text := "the job was terminated in Temporal"
	events := s.temporal.GetWorkflowHistory(ctx, report.WorkflowID, report.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return text
		}
		if ended := event.GetWorkflowExecutionTerminatedEventAttributes(); ended != nil {
			if ended.GetIdentity() != "" {
				text += " by " + plain(ended.GetIdentity())
			}
			if ended.GetReason() != "" {
				text += fmt.Sprintf(" (%s)", plain(ended.GetReason()))
			}
		}
	}
	return text
}
