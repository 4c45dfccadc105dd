package runs

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/temporal/visibility"
)

// maxRuns bounds the runs of one id that All returns.
const maxRuns = 5000

// All returns the runs of an id that visibility lists, of all chains, the latest
// first, at most maxRuns.
func (r Reader) All(ctx context.Context, workflowID string) (all []*workflowpb.WorkflowExecutionInfo, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: visibility.Equals("WorkflowId", workflowID)}
	for len(all) < maxRuns {
		page, err := r.Server.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the runs of %s: %w", workflowID, err)
		}
		all = append(all, page.GetExecutions()...)
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
	}
	return all, nil
}

// claims returns one page of the runs of a job and of those that list a task as their
// own. A namespace that lacks the search attribute of tasks lists only the former.
func (r Reader) claims(ctx context.Context, workflowID, taskID string) ([]*workflowpb.WorkflowExecutionInfo, error) {
	own := visibility.Equals("WorkflowId", workflowID)
	page, err := r.Server.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: maxClaims, Query: own + " OR " + visibility.Equals(taskAttribute, taskID),
	})
	if invalid(err) {
		page, err = r.Server.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{PageSize: maxClaims, Query: own})
	}
	if err != nil {
		return nil, fmt.Errorf("list the runs of %s and of task %s: %w", workflowID, taskID, err)
	}
	return page.GetExecutions(), nil
}

// ofTask returns one page of the runs that list a task as their own and match further
// terms. ok is false if the namespace lacks the search attribute of tasks.
func (r Reader) ofTask(ctx context.Context, taskID, terms string, size int32) (all []*workflowpb.WorkflowExecutionInfo, ok bool, err error) {
	page, err := r.Server.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: size, Query: visibility.Equals(taskAttribute, taskID) + terms,
	})
	if invalid(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("list the jobs of task %s: %w", taskID, err)
	}
	return page.GetExecutions(), true, nil
}

// Claimant returns another job that lists a task as its own; empty if there is none
// or if the namespace lacks the search attribute of tasks.
func (r Reader) Claimant(ctx context.Context, taskID, exceptWorkflowID string) (workflowID string, err error) {
	listed, _, err := r.ofTask(ctx, taskID, "", 10)
	for _, info := range listed {
		if id := info.GetExecution().GetWorkflowId(); id != exceptWorkflowID && id != CollectorID(taskID) {
			return id, nil
		}
	}
	return "", err
}

// invalid reports whether the namespace lacks the search attribute of a query.
func invalid(err error) bool {
	_, is := errors.AsType[*serviceerror.InvalidArgument](err)
	return is
}
