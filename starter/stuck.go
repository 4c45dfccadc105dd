package starter

import (
	"context"
	"errors"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// stuck is why no worker can go on with a job, if that is why it gave no answer:
// what its workflow task fails of. Temporal itself tells only that it failed, or
// between two tries nothing at all.
func (s *Starter) stuck(ctx context.Context, described *workflowservice.DescribeWorkflowExecutionResponse, noAnswer error) string {
	var failed *serviceerror.WorkflowNotReady
	if !errors.As(noAnswer, &failed) && described.GetPendingWorkflowTask().GetAttempt() < 2 {
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
	return "the workers can't go on with it: " + placeOf(described).explained(innermost(s.failures.FailureToError(last)))
}

// otherCode is how the SDK marks that the code of a worker does not fit a history.
const otherCode = "[TMPRL1100]"

// explained adds to what workers say of a job here what it means and what to do,
// if it is not in plain words. Workers of another version do not get a job that
// stays with its own, so there the version itself has changed.
func (p place) explained(text string) string {
	if !strings.Contains(text, otherCode) {
		return text
	}
	build := "the build that it began with"
	if p.version != nil {
		build += " as version " + plain(p.version.GetBuildId()) + " of deployment " + plain(p.version.GetDeploymentName()) +
			"; other code needs another TEMPORAL_WORKER_BUILD_ID"
	}
	return text + "; the workers run other code than the job began with: stop them and start " + build
}
