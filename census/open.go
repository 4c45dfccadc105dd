package census

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"golang.org/x/sync/errgroup"

	"lumaflow/metrics"
	"lumaflow/workflows"
)

// open is what the open jobs are doing.
type open struct {
	stages map[string]int
	oldest time.Time
	// collecting are those that download: their tasks have ended.
	collecting []run

	mu sync.Mutex
}

// run is one run of a job.
type run struct {
	id, runID string
	started   time.Time
}

func runOf(info *workflowpb.WorkflowExecutionInfo) run {
	return run{info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId(), info.GetStartTime().AsTime()}
}

// countOpen lists the open jobs. Their stage is in the search attributes if the
// namespace has them; of the others, and of jobs that have not set theirs yet, a
// bounded number is asked.
func (c *Census) countOpen(ctx context.Context) (*open, error) {
	found := &open{stages: map[string]int{}}
	var silent []run
	listed := 0
	query := c.ofQueue("ExecutionStatus = 'Running'")
	all, err := c.list(ctx, query, maxOpen, func(info *workflowpb.WorkflowExecutionInfo) {
		listed++
		job := runOf(info)
		if found.oldest.IsZero() || job.started.Before(found.oldest) {
			found.oldest = job.started
		}
		if stage := workflows.Attribute(info, workflows.StageAttribute); stage != "" {
			found.add(stage, job)
		} else {
			silent = append(silent, job)
		}
	})
	if err != nil {
		return nil, err
	}
	if !all {
		total, err := c.number(ctx, query)
		if err != nil {
			return nil, err
		}
		found.stages[metrics.StageUnknown] += max(total-listed, 0)
	}
	c.askStages(ctx, silent, found)
	return found, nil
}

// add counts a job. A stage that is not one of an open job is unknown: the list
// lags behind.
func (o *open) add(stage string, job run) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(metrics.Jobs.Values, stage) {
		stage = metrics.StageUnknown
	}
	o.stages[stage]++
	if stage == string(workflows.StageCollecting) && len(o.collecting) < maxRead {
		o.collecting = append(o.collecting, job)
	}
}

// askStages asks jobs what they are doing. When one gives no answer, most likely
// no worker does, and the rest are not asked.
func (c *Census) askStages(ctx context.Context, jobs []run, found *open) {
	var silent atomic.Bool
	var asking errgroup.Group
	asking.SetLimit(askers)
	for i, job := range jobs {
		asking.Go(func() error {
			stage := metrics.StageUnknown
			if i < maxAsked && !silent.Load() {
				status, err := c.ask(ctx, job)
				silent.Store(silent.Load() || err != nil)
				if err == nil {
					stage = string(status.Stage)
				}
			}
			found.add(stage, job)
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
