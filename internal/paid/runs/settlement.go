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
	// Gone means that the collecting job has found no video, and that no other job has
	// stored it.
	Gone bool
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
		end := run.endOf(taskID)
		found.Settled, found.Gone = end != noEnd, end == gone
		if found.Settled && !found.Gone {
			return found, nil
		}
	}
	completed, listed, err := r.ofTask(ctx, taskID, " AND "+visibility.Equals("WorkflowType", modifyVideoName)+" AND "+visibility.Equals("ExecutionStatus", "Completed"), 1)
	if len(completed) > 0 {
		found.Settled, found.Gone = true, false
	}
	found.Incomplete = !listed && !found.Settled
	return found, err
}
