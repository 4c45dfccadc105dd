package starter

import (
	"context"
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
)

// stuck is why no worker can go on with a job, if that is why it gave no answer:
// what its workflow task failed of. Temporal itself tells only that it failed.
func (s *Starter) stuck(ctx context.Context, run Report, noAnswer error) string {
	var failed *serviceerror.WorkflowNotReady
	if !errors.As(noAnswer, &failed) {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	var last *failurepb.Failure
	events := s.temporal.GetWorkflowHistory(ctx, run.WorkflowID, run.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return ""
		}
		if failure := event.GetWorkflowTaskFailedEventAttributes().GetFailure(); failure != nil {
			last = failure
		}
	}
	if last == nil {
		return ""
	}
	return "the workers can't go on with it: " + innermost(s.failures.FailureToError(last))
}
