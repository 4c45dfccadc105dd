package starter

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"lumaflow/internal/manifest"
	"lumaflow/internal/paid/runs"
)

// BatchPlan counts what a batch would do. Its names in JSON are part of the command
// line. Jobs = Done + Open + Failed + Collect + Submissions.
type BatchPlan struct {
	// Lines counts the lines with a job, Duplicates those that repeat another one.
	Lines      int `json:"lines"`
	Duplicates int `json:"duplicates"`
	Jobs       int `json:"jobs"`
	// Done counts the jobs with a stored video, Open those that run already.
	Done int `json:"done"`
	Open int `json:"open"`
	// Failed counts the jobs that ended without a video and are not run again.
	Failed int `json:"failed"`
	// Collect counts the jobs that collect a task, which costs nothing, Submissions
	// those that submit one, which is paid.
	Collect     int `json:"collect"`
	Submissions int `json:"submissions"`
	// Paid counts the submissions that the runs of the batch with this id have paid,
	// which a budget counts too.
	Paid int `json:"paid"`
}

// PlanBatch describes each job of a file and counts what a batch with this id would do.
// It starts nothing. The error is the first one about a job.
func (s *Starter) PlanBatch(ctx context.Context, id string, file BatchFile, retryFailed bool) (BatchPlan, error) {
	plan := BatchPlan{Lines: file.Lines, Duplicates: file.Duplicates, Jobs: file.Jobs()}
	var err error
	if plan.Paid, _, err = s.runs.ChargesBelow(ctx, id); err != nil {
		return plan, failed("count what batch "+id+" has paid", err)
	}
	var mu sync.Mutex
	lookups, ctx := errgroup.WithContext(ctx)
	lookups.SetLimit(maxConcurrent)
	for _, order := range file.orders {
		if order.Repeats != 0 {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		lookups.Go(func() error {
			number, err := s.planned(ctx, &plan, order, retryFailed)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			*number++
			return nil
		})
	}
	return plan, lookups.Wait()
}

// planned is the counter of a plan to which a job adds.
func (s *Starter) planned(ctx context.Context, plan *BatchPlan, order manifest.Order, retryFailed bool) (counter *int, err error) {
	fresh := &plan.Submissions
	if order.Adopts {
		fresh = &plan.Collect
	}
	described, err := s.describe(ctx, order.ID, "")
	if errors.Is(err, ErrNoJob) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	reading, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	standing, owed, err := s.runs.Standing(reading, described.GetWorkflowExecutionInfo(), order.Adopts)
	switch {
	case err != nil:
		return nil, failed("find out how job "+order.ID+" stands", err)
	case standing == runs.Completed:
		return &plan.Done, nil
	case standing == runs.Open:
		return &plan.Open, nil
	case standing == runs.Paid && owed.TaskID != "":
		return s.plannedCollector(ctx, plan, owed.TaskID, retryFailed)
	case standing == runs.Unpaid, standing == runs.NoVideo && retryFailed:
		return fresh, nil
	default:
		return &plan.Failed, nil
	}
}

// plannedCollector is the counter for a job whose task is paid and not stored by it.
func (s *Starter) plannedCollector(ctx context.Context, plan *BatchPlan, taskID string, retryFailed bool) (counter *int, err error) {
	described, err := s.describe(ctx, runs.CollectorID(taskID), "")
	if err != nil && !errors.Is(err, ErrNoJob) {
		return nil, err
	}
	info := described.GetWorkflowExecutionInfo()
	switch state := newReport(info).State; {
	case info != nil && state == StateCompleted:
		return &plan.Done, nil
	case info != nil && state.Open() && !runs.IsMark(info):
		return &plan.Open, nil
	case retryFailed:
		return &plan.Collect, nil
	default:
		return &plan.Failed, nil
	}
}
