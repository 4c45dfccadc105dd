package census

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/internal/telemetry/metrics"
	"lumaflow/workflows"
)

// open is what the open jobs are doing.
type open struct {
	mu     sync.Mutex
	stages map[string]int
	oldest time.Time
}

// run is one run of a job.
type run struct{ id, runID string }

// countOpen lists the open jobs. Their stage is in the search attributes if the
// namespace has them; of the others, and of jobs that have not set theirs yet, a
// bounded number is asked.
func (c *Census) countOpen(ctx context.Context) (*open, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	found := &open{stages: map[string]int{}}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		Query: workflows.Equals("WorkflowType", workflows.ModifyVideoName) + " AND " +
			workflows.Equals("TaskQueue", c.TaskQueue) + " AND " + workflows.Equals("ExecutionStatus", "Running"),
		PageSize: listPage,
	}
	var silent []run
	for listed := 0; ; {
		page, err := c.Temporal.ListWorkflow(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, info := range page.GetExecutions() {
			started := info.GetStartTime().AsTime()
			if found.oldest.IsZero() || started.Before(found.oldest) {
				found.oldest = started
			}
			if stage := workflows.Attribute(info, workflows.StageAttribute); stage != "" {
				found.add(stage)
			} else {
				silent = append(silent, run{info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()})
			}
		}
		listed += len(page.GetExecutions())
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			break
		}
		if listed >= maxOpen {
			total, err := c.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: request.Query})
			if err != nil {
				return nil, err
			}
			found.stages[metrics.StageUnknown] += max(int(total.GetCount())-listed, 0)
			break
		}
	}
	c.askStages(ctx, silent, found)
	return found, nil
}

// add counts a job. A stage that is not one of an open job is unknown: the list
// lags behind.
func (o *open) add(stage string) {
	if !slices.Contains(metrics.Jobs.Values, stage) {
		stage = metrics.StageUnknown
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stages[stage]++
}

// askStages asks jobs what they are doing. When several give no answer, most
// likely no worker does, and the rest are not asked.
func (c *Census) askStages(ctx context.Context, jobs []run, found *open) {
	var silent atomic.Int32
	var asking errgroup.Group
	asking.SetLimit(askers)
	for i, job := range jobs {
		asking.Go(func() error {
			stage := metrics.StageUnknown
			if i < maxAsked && silent.Load() < maxSilent {
				status, err := c.ask(ctx, job)
				if err == nil {
					stage = string(status.Stage)
				} else {
					silent.Add(1)
				}
			}
			found.add(stage)
			return nil
		})
	}
	// The questions return no errors.
	_ = asking.Wait()
}

func (c *Census) ask(ctx context.Context, job run) (status workflows.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	answer, err := c.Temporal.QueryWorkflow(ctx, job.id, job.runID, workflows.StatusQuery)
	if err != nil {
		return status, err
	}
	return status, answer.Get(&status)
}
