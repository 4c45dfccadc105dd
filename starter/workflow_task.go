package starter

import (
	"context"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// workflowTaskNote describes the failure of a job's workflow task, if that is why
// the query failed. Query errors lack the failure, so it comes from the history.
func (s *Starter) workflowTaskNote(ctx context.Context, described *workflowservice.DescribeWorkflowExecutionResponse, queryErr error) string {
	if !is[*serviceerror.WorkflowNotReady](queryErr) && described.GetPendingWorkflowTask().GetAttempt() < 2 {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var last *failurepb.Failure
	run := described.GetWorkflowExecutionInfo().GetExecution()
	events := s.temporal.GetWorkflowHistory(ctx, run.GetWorkflowId(), run.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return ""
		}
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED:
			last = event.GetWorkflowTaskFailedEventAttributes().GetFailure()
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			last = nil
		}
	}
	if last == nil {
		return ""
	}
	return "its workflow task fails in the workers: " + queueOf(described).explain(innermost(s.failures.FailureToError(last)))
}

// nondeterminism is the SDK's code for a history that the worker's code does not
// match.
const nondeterminism = "[TMPRL1100]"

// explain adds to an error of a worker what to do if the worker runs other code
// than the job began with. A pinned job is served by its own version alone, so
// there the code of the version has changed.
func (q workerQueue) explain(text string) string {
	if !strings.Contains(text, nondeterminism) {
		return text
	}
	build := "the build that it began with"
	if q.version != nil {
		build += " as version " + plain(q.version.GetBuildId()) + " of deployment " + plain(q.version.GetDeploymentName()) +
			"; other code needs another TEMPORAL_WORKER_BUILD_ID"
	}
	return text + "; the workers run other code than the job began with: stop them and start " + build
}
