package runs

import (
	"context"
	"fmt"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/temporal/visibility"
)

// Settlement is the end of a task as the jobs other than the one that paid have it.
type Settlement struct {
	// Settled means that one of them has stored the video, or has found that there is
	// none: the collecting job, or a completed one that lists the task as its own.
	Settled bool
	// Incomplete means that only the collecting job was read, because the namespace
	// lacks the search attribute of tasks.
	Incomplete bool
	// Collector is the collecting job; nil if there is none.
	Collector *workflowservice.DescribeWorkflowExecutionResponse
}

// Settlement reads the end of a task from the jobs other than the one that paid.
func (r Reader) Settlement(ctx context.Context, taskID string) (found Settlement, err error) {
	described, err := r.Server.DescribeWorkflow(ctx, CollectorID(taskID), "")
	if err != nil && !NotFound(err) {
		return found, fmt.Errorf("describe the job that collects task %s: %w", taskID, err)
	}
	if err == nil {
		found.Collector = described.RawResponse
		run, err := r.Run(ctx, found.Collector.GetWorkflowExecutionInfo())
		if err != nil && !NotFound(err) {
			return found, err
		}
		if found.Settled = run.endOf(taskID) != noEnd; found.Settled {
			return found, nil
		}
	}
	completed, listed, err := r.ofTask(ctx, taskID, " AND "+visibility.Equals("WorkflowType", modifyVideoName)+" AND "+visibility.Equals("ExecutionStatus", "Completed"), 1)
	found.Settled, found.Incomplete = len(completed) > 0, !listed
	return found, err
}
