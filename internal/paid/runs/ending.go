package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/temporal"

	"lumaflow/internal/oneline"
	"lumaflow/internal/temporal/codec"
)

const (
	// maxReason bounds, in bytes, the text of a failure without a message of its own.
	maxReason = 300
	// maxModel bounds, in bytes, the name of a model in a result.
	maxModel = 128
	// OtherFailure is the type of a failure without one.
	OtherFailure = "Failed"
)

// Ending is a run that is over, and how it ended.
type Ending struct {
	Run
	// Files are the locations of the videos of a completed run, Model and Credits those
	// of its result.
	Files   []string
	Model   string
	Credits *float64
	// Reason is the text of any end but a completion.
	Reason string
}

// Ending reads how a run ended. The run must be over. The error wraps
// *serviceerror.NotFound if it is deleted.
func (r Reader) Ending(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, payloads codec.Converters) (Ending, error) {
	ending := Ending{}
	var err error
	if ending.Run, err = r.Run(ctx, info); err != nil {
		return ending, err
	}
	execution := info.GetExecution()
	event, err := r.End(ctx, execution.GetWorkflowId(), execution.GetRunId(), false)
	if err != nil {
		return ending, err
	}
	completed := event.GetWorkflowExecutionCompletedEventAttributes()
	if completed == nil {
		_, ending.Reason = Reason(event, payloads)
		return ending, nil
	}
	var result finished
	if err := payloads.Data.FromPayloads(completed.GetResult(), &result); err != nil {
		return ending, fmt.Errorf("read the result of %s: %w", execution.GetWorkflowId(), err)
	}
	ending.Model, ending.Credits = oneline.Truncate(result.Model, maxModel), result.Credits
	for _, video := range result.Videos {
		ending.Files = append(ending.Files, video.Location)
	}
	return ending, nil
}

// Reason describes the end of a run without a result in one line. failureType is that
// of the application error of a failed run, else empty.
func Reason(end *historypb.HistoryEvent, payloads codec.Converters) (failureType, text string) {
	switch end.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failure := end.GetWorkflowExecutionFailedEventAttributes().GetFailure()
		// The type is that of the outermost failure: the job may have handled an inner
		// one.
		return cmp.Or(failure.GetApplicationFailureInfo().GetType(), OtherFailure), Innermost(payloads.Failures.FailureToError(failure))
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		text := "it was cancelled"
		if details := end.GetWorkflowExecutionCanceledEventAttributes().GetDetails(); len(details.GetPayloads()) > 0 {
			// The first detail is the message of the job, if it left one.
			_ = payloads.Data.FromPayloads(details, &text)
		}
		return "", oneline.Clean(text)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		terminated, text := end.GetWorkflowExecutionTerminatedEventAttributes(), "it was terminated in Temporal"
		if by := terminated.GetIdentity(); by != "" {
			text += " by " + oneline.Clean(by)
		}
		if reason := terminated.GetReason(); reason != "" {
			text += " (" + oneline.Clean(reason) + ")"
		}
		return "", text
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		return "", "it exceeded the timeout that was set at its start"
	default:
		return end.GetEventType().String(), "the run ended with an event that lumaflow does not handle"
	}
}

// Innermost is the message of the application error in an error that Temporal has
// wrapped, in one line.
func Innermost(err error) string {
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return oneline.Clean(application.Message())
	}
	if _, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return "no worker finished it in time"
	}
	return oneline.Truncate(err.Error(), maxReason)
}
