package starter

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows/batches"
)

// maxBatches bounds the open batches that are queried for their progress.
const maxBatches = 50

// OpenBatches returns the progress of the open batches of a task queue, at most
// maxBatches. One that no worker answers for has an empty phase.
func (s *Starter) OpenBatches(ctx context.Context, taskQueue string) ([]batches.Progress, error) {
	listing, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	page, err := s.temporal.ListWorkflow(listing, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: s.namespace,
		PageSize:  maxBatches,
		Query: visibility.Equals("WorkflowType", batches.ModifyVideosName) + " AND " + visibility.Equals("ExecutionStatus", "Running") +
			" AND " + visibility.Equals("TaskQueue", taskQueue),
	})
	if err != nil {
		return nil, failed("list the open batches", err)
	}
	open := make([]batches.Progress, len(page.GetExecutions()))
	for i, info := range page.GetExecutions() {
		querying, cancel := context.WithTimeout(ctx, queryTimeout)
		value, err := s.temporal.QueryWorkflow(querying, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId(), batches.ProgressQuery)
		if err == nil {
			err = value.Get(&open[i])
		}
		cancel()
		if err != nil {
			open[i] = batches.Progress{}
		}
		if ctx.Err() != nil {
			return nil, failed("query the open batches", ctx.Err())
		}
	}
	return open, nil
}
