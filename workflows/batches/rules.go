package batches

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// stop starts no more jobs. The first reason remains. It drops a retry that an operator
// has requested: that would start jobs.
func (r *batchRun) stop(reason string) {
	if r.Stopped != "" {
		return
	}
	if r.RetryRequested {
		r.RetryRequested = false
		reason += "; what failed is not run again: lumaflow batch retry " + r.id
	}
	r.Stopped = reason
}

// applyRules stops the batch if a job of the canary has failed, or too many of the
// last jobs have.
func (r *batchRun) applyRules() {
	if canary := r.input.Canary; r.Done < canary && r.Failed > 0 {
		r.stop(fmt.Sprintf("canary: jobs without a video among the first %d: %d", canary, r.Failed))
	}
	if limit := r.input.MaxFailureRate; limit > 0 && len(r.Ends) == RateWindow {
		failed := 0
		for _, end := range r.Ends {
			if !end.Done {
				failed++
			}
		}
		if float64(failed) > limit*RateWindow {
			r.stop(fmt.Sprintf("failure rate: %d of the last %d jobs have no video", failed, RateWindow))
		}
	}
}

// affords reports whether the budget permits another paid submission. Each open job of
// the batch may pay once. The batch stops if nothing is left for open jobs to free.
func (r *batchRun) affords(found activities.FoundJob) bool {
	budget := r.input.Budget
	if budget == 0 || found.Adopts {
		return true
	}
	open := 0
	for _, job := range r.Window {
		if job.Pays {
			open++
		}
	}
	if r.paid()+open < budget {
		return true
	}
	if open == 0 {
		r.stop(r.budgetUsed())
	}
	return false
}

// skips reports whether a job does not start because the budget is used up: what is
// paid never becomes less. A batch that an earlier build began stops instead.
func (r *batchRun) skips(ctx workflow.Context, found activities.FoundJob) bool {
	budget := r.input.Budget
	return budget > 0 && !found.Adopts && (r.Skipped > 0 || r.paid() >= budget) &&
		workflow.GetVersion(ctx, "skip-beyond-budget", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}

// skip leaves out a job. FinishResults writes its result.
func (r *batchRun) skip(line int) {
	if r.Skipped++; r.Skipped == 1 {
		r.SkippedFrom = line
	}
}

// paid is what the batch has paid in all its runs. Visibility, which paidBefore is from,
// lags behind; the counters lack what jobs of later lines have paid.
func (r *batchRun) paid() int { return max(r.Charges, r.paidBefore.Charges+r.paidSince) }

func (r *batchRun) budgetUsed() string {
	return fmt.Sprintf("budget: %d submissions are paid, and the budget is %d", r.paid(), r.input.Budget)
}

// incomplete is why the batch does not start all jobs; empty if it does.
func (r *batchRun) incomplete() string {
	if r.Stopped == "" && r.Skipped > 0 {
		return r.budgetUsed()
	}
	return r.Stopped
}

// readCharges reads what the batch has paid in all its runs, if it has a budget.
func (r *batchRun) readCharges(ctx workflow.Context) error {
	if r.input.Budget == 0 {
		return nil
	}
	return workflow.ExecuteActivity(manifestPolicy(ctx, "count what the batch has paid"), b.CountCharges, r.batch()).Get(ctx, &r.paidBefore)
}
