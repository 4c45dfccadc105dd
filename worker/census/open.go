package census

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/telemetry/metrics"
	"lumaflow/internal/temporal/visibility"
	"lumaflow/workflows"
)

// openJobs are the counts of the open jobs.
type openJobs struct {
	stages map[string]int
	oldest time.Time
}

// countOpen lists the open jobs. Their stage is a search attribute; jobs without
// it, because the namespace lacks it or they have just started, are queried.
//
// One page of the list serves 500 jobs. Counts grouped by stage would replace
// only the stages, not the oldest job, and Temporal (1.29) groups by
// ExecutionStatus alone.
func (c *Census) countOpen(ctx context.Context) (*openJobs, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	open := &openJobs{stages: map[string]int{}}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Query: visibility.Equals("WorkflowType", workflows.ModifyVideoName) + " AND " +
			visibility.Equals("TaskQueue", c.options.TaskQueue) + " AND " + visibility.Equals("ExecutionStatus", "Running"),
		PageSize: listPage,
	}
	var withoutStage []*commonpb.WorkflowExecution
	for listed := 0; ; {
		page, err := c.options.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, info := range page.GetExecutions() {
			started := info.GetStartTime().AsTime()
			if open.oldest.IsZero() || started.Before(open.oldest) {
				open.oldest = started
			}
			if stage := visibility.Attribute(info, workflows.StageAttribute); stage != "" {
				open.add(stage)
			} else {
				withoutStage = append(withoutStage, info.GetExecution())
			}
		}
		listed += len(page.GetExecutions())
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
		if listed >= maxOpen {
			total, err := c.options.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: request.Query})
			if err != nil {
				return nil, err
			}
			open.stages[metrics.StageUnknown] += max(int(total.GetCount())-listed, 0)
			break
		}
	}
	for _, stage := range c.queryStages(ctx, withoutStage) {
		open.add(stage)
	}
	return open, nil
}

// add counts one job. A stage of ended jobs is unknown: visibility lags behind.
func (o *openJobs) add(stage string) {
	if !slices.Contains(metrics.Jobs.Values, stage) {
		stage = metrics.StageUnknown
	}
	o.stages[stage]++
}

// queryStages queries jobs for their stage. After several failures it stops, as
// probably no worker answers queries; the rest is unknown.
func (c *Census) queryStages(ctx context.Context, jobs []*commonpb.WorkflowExecution) []string {
	stages := slices.Repeat([]string{metrics.StageUnknown}, len(jobs))
	var unanswered atomic.Int32
	var queries errgroup.Group
	queries.SetLimit(concurrentQueries)
	for i, job := range jobs[:min(len(jobs), maxQueries)] {
		queries.Go(func() error {
			if unanswered.Load() < maxUnanswered {
				if status, err := c.queryStatus(ctx, job); err == nil {
					stages[i] = string(status.Stage)
				} else {
					unanswered.Add(1)
				}
			}
			return nil
		})
	}
	// The functions of the group return no errors.
	_ = queries.Wait()
	return stages
}

func (c *Census) queryStatus(ctx context.Context, job *commonpb.WorkflowExecution) (status workflows.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, err := c.options.Temporal.QueryWorkflow(ctx, job.GetWorkflowId(), job.GetRunId(), workflows.StatusQuery)
	if err != nil {
		return status, err
	}
	return status, value.Get(&status)
}
