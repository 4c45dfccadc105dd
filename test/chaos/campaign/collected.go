package campaign

import (
	"context"
	"fmt"
	"slices"

	"go.temporal.io/api/workflowservice/v1"

	"lumaflow/internal/kie"
	"lumaflow/internal/store"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
)

// verifyCollected requires that every collecting job has stored its task, and adds
// the names of its files to expected. The callback of callback-wrong-task starts one
// if the job is over by then.
func (r *seedRun) verifyCollected(ctx context.Context, expected map[string]bool) {
	ids, err := r.collectingJobs(ctx)
	if err != nil {
		r.problem("%v", err)
	}
	for _, id := range ids {
		history, err := r.w.readHistory(ctx, id)
		switch {
		case err != nil:
			r.problem("%v", err)
			continue
		case history.result == nil:
			r.problem("collecting job %s ended as %s: %s", id, history.closed, history.failure.GetMessage())
			continue
		}
		names := store.Naming(kie.Brand(history.result.Model))
		expected[names.ReceiptName("", history.result.TaskID)] = true
		for i := range history.result.Videos {
			expected[names.VideoName("", history.result.TaskID, i+1, ".mp4")] = true
		}
	}
}

// collectingJobs lists the jobs that are not in the schedule.
func (r *seedRun) collectingJobs(ctx context.Context) (ids []string, err error) {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: visibility.Equals("WorkflowType", workflows.ModifyVideoName)}
	for {
		page, err := r.w.client.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list the collecting jobs: %w", err)
		}
		for _, found := range page.GetExecutions() {
			id := found.GetExecution().GetWorkflowId()
			scheduled := slices.ContainsFunc(r.schedule.jobs, func(j job) bool { return j.id == id })
			if !scheduled && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return ids, nil
		}
	}
}
