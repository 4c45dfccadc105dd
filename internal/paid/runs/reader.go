// Package runs reads from Temporal what the runs of a job have paid, and starts
// the jobs that collect tasks which no job has stored.
package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"lumaflow/internal/paid"
	"lumaflow/internal/temporal/codec"
)

// Server is the part of client.Client that reads runs.
type Server interface {
	DescribeWorkflow(ctx context.Context, workflowID, runID string) (*client.WorkflowExecutionDescription, error)
	GetWorkflowHistory(ctx context.Context, workflowID, runID string, isLongPoll bool, filterType enumspb.HistoryEventFilterType) client.HistoryEventIterator
	ListWorkflow(ctx context.Context, request *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
}

// Reader reads the payments of runs. It is safe for concurrent use.
type Reader struct {
	Server Server
	// Data decodes memos, details and histories.
	Data converter.DataConverter
	// Namespace is that of the runs. An encrypted payload is bound to it and to its job.
	Namespace string
}

// data returns the converter of the payloads of one job.
func (r Reader) data(workflowID string) converter.DataConverter {
	return codec.Converters{Data: r.Data}.Of(r.Namespace, workflowID).Data
}

// Run reads one run: its payments are those of its memo while it is open, those of
// its end or, if that holds none, those of its history with its memo. The error wraps
// *serviceerror.NotFound if the run is deleted.
func (r Reader) Run(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (Run, error) {
	run := Run{Info: info}
	memo, remembers := paid.FromMemo(info.GetMemo(), r.data(info.GetExecution().GetWorkflowId()))
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		if ok, err := r.readEnd(ctx, &run, memo); ok || err != nil {
			return run, err
		}
	default:
		if remembers && run.Open() {
			run.Facts = memo
			return run, nil
		}
	}
	history, err := r.History(ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId())
	run.Facts = history.withMemo(memo)
	return run, err
}

// End returns the event that closed a run. With wait it blocks until the run closes,
// else the run must have closed.
func (r Reader) End(ctx context.Context, workflowID, runID string, wait bool) (last *historypb.HistoryEvent, err error) {
	events := r.Server.GetWorkflowHistory(ctx, workflowID, runID, wait, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	for events.HasNext() {
		if last, err = events.Next(); err != nil {
			return nil, fmt.Errorf("read how %s ended: %w", workflowID, err)
		}
	}
	if last == nil {
		return nil, fmt.Errorf("read how %s ended: the run has not ended", workflowID)
	}
	return last, nil
}

// readEnd reads the last event of a run that ended by itself. ok is false if it has
// no payments, as the failures of lumaflow v0.1.
func (r Reader) readEnd(ctx context.Context, run *Run, memo paid.Facts) (ok bool, err error) {
	execution := run.Info.GetExecution()
	data := r.data(execution.GetWorkflowId())
	last, err := r.End(ctx, execution.GetWorkflowId(), execution.GetRunId(), false)
	if err != nil {
		return false, err
	}
	if completed := last.GetWorkflowExecutionCompletedEventAttributes(); completed != nil {
		var result taskRef
		if err := data.FromPayloads(completed.GetResult(), &result); err != nil {
			return false, fmt.Errorf("read the result of %s: %w", execution.GetWorkflowId(), err)
		}
		run.Facts = completedFacts(result.TaskID, memo)
		return true, nil
	}
	failure := last.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetApplicationFailureInfo()
	run.Failure = failure.GetType()
	details := failure.GetDetails()
	if canceled := last.GetWorkflowExecutionCanceledEventAttributes(); canceled != nil {
		details = canceled.GetDetails()
	}
	run.Facts, ok = paid.FromDetails(details, data)
	return ok, nil
}

// Intent is the intent of a submission to send, as a signal in the history.
type Intent struct {
	ID       string
	At       time.Time
	Attempts int
}

// Intents returns the intents in the history of a run since the schedule of an
// activity, the oldest first. Temporal keeps the order in which it accepted them.
func (r Reader) Intents(ctx context.Context, workflowID, runID, activityID string) (intents []Intent, err error) {
	events := r.Server.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	scheduled := false
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return nil, fmt.Errorf("read the history of %s: %w", workflowID, err)
		}
		if event.GetActivityTaskScheduledEventAttributes().GetActivityId() == activityID {
			scheduled = true
		}
		signal := event.GetWorkflowExecutionSignaledEventAttributes()
		if !scheduled || signal.GetSignalName() != intentSignal {
			continue
		}
		// An intent that can't be decoded is another attempt's.
		var declared evidence
		_ = r.data(workflowID).FromPayloads(signal.GetInput(), &declared)
		intents = append(intents, Intent{ID: declared.Intent, At: declared.At, Attempts: declared.Attempts})
	}
	return intents, nil
}

// NotFound reports whether the server has no such run, or none that is open.
func NotFound(err error) bool {
	_, is := errors.AsType[*serviceerror.NotFound](err)
	return is
}
