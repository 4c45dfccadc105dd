package batches

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid/runs"
)

const (
	// sweepInterval is the time between two look-ups of the open jobs. It bounds the
	// time until an end is counted that no job reports. A sweep and its timer are two
	// billable actions, which a window of 100 jobs shares.
	sweepInterval = 45 * time.Second
	// maxEvents and maxHistoryBytes are half of what Temporal warns at: a page adds
	// some hundred events at once.
	maxEvents       = 5000
	maxHistoryBytes = 4 << 20
)

// awaitChange blocks until something may have changed: a job has ended, a sweep is
// due, or an operator has changed a setting.
func (r *batchRun) awaitChange(ctx workflow.Context) error {
	if r.sweepNow && len(r.Window) > 0 {
		return r.sweep(ctx)
	}
	r.sweepNow = false
	r.show(ctx)
	if len(r.Window) > 0 && r.sweepTimer == nil {
		r.sweepTimer = workflow.NewTimerWithOptions(ctx, sweepInterval, workflow.TimerOptions{Summary: "until the open jobs are looked up"})
	}
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) {})
	selector.AddReceive(r.wake, func(wake workflow.ReceiveChannel, _ bool) { wake.Receive(ctx, nil) })
	selector.AddReceive(r.reports, func(reports workflow.ReceiveChannel, _ bool) {
		var end activities.JobEnd
		reports.Receive(ctx, &end)
		r.apply(ctx, end)
	})
	if r.sweepTimer != nil {
		selector.AddFuture(r.sweepTimer, func(workflow.Future) { r.sweepTimer, r.sweepNow = nil, true })
	}
	selector.Select(ctx)
	return ctx.Err()
}

// receiveReports applies the reports that have arrived and returns their number.
func (r *batchRun) receiveReports(ctx workflow.Context) (received int) {
	for {
		var end activities.JobEnd
		if !r.reports.ReceiveAsync(&end) {
			return received
		}
		received++
		r.apply(ctx, end)
	}
}

// apply counts the end that a job reports. A report of another run than the one in the
// window only causes a sweep: that run may be an earlier one, or the job was reset.
func (r *batchRun) apply(ctx workflow.Context, end activities.JobEnd) {
	for _, job := range r.Window {
		if job.workflowID() != end.Job {
			continue
		}
		if job.Run != end.Run {
			r.sweepNow = true
			return
		}
		r.end(ctx, end)
		return
	}
}

// sweep looks up all open jobs, counts those that have ended and marks those that
// kie.ai holds.
func (r *batchRun) sweep(ctx workflow.Context) error {
	r.sweepNow = false
	ids := make([]string, len(r.Window))
	for i, job := range r.Window {
		ids[i] = job.workflowID()
	}
	var swept activities.Swept
	err := workflow.ExecuteActivity(sweepPolicy(ctx, len(ids)), b.SweepJobs, activities.SweepInput{
		Batch: r.batch(), Jobs: ids, Probe: r.Probe, OpenSince: r.OpenSince,
	}).Get(ctx, &swept)
	if err != nil {
		return err
	}
	for _, end := range swept.Ended {
		r.end(ctx, end)
	}
	for i := range r.Window {
		r.Window[i].Held = ""
		for _, held := range swept.Held {
			if held.Job == r.Window[i].workflowID() {
				r.Window[i].Held = held.Reason
			}
		}
	}
	return r.electProbe(ctx, swept.Probe)
}

// electProbe names the one job that submits while kie.ai holds the account, where the
// workers of all jobs read it. The name stays when that job is accepted: it has no
// effect any more.
func (r *batchRun) electProbe(ctx workflow.Context, job string) error {
	switch {
	case job != "":
		r.OpenSince = time.Time{}
	case r.Probe != "" && r.OpenSince.IsZero():
		r.OpenSince = workflow.Now(ctx)
	}
	if job == "" || job == r.Probe {
		return nil
	}
	r.Probe = job
	return workflow.UpsertMemo(ctx, map[string]any{runs.ProbeMemo: job})
}

// end removes the job from the window and counts its end.
func (r *batchRun) end(ctx workflow.Context, end activities.JobEnd) {
	for _, job := range r.take(end.Job) {
		counted := end
		if !job.Pays {
			counted.Charges = 0
		}
		now := workflow.Now(ctx)
		r.Ends = append(r.Ends, Ending{At: now, Took: now.Sub(job.Since), Done: end.Outcome == activities.OutcomeDone})
		r.Ends = r.Ends[max(len(r.Ends)-RateWindow, 0):]
		r.paidSince += max(counted.Charges-r.paidBefore.Open[job.Job], 0)
		r.count(job, counted)
	}
}

// count counts the end of a job and stops the batch if its rules require that.
func (r *batchRun) count(job OpenJob, end activities.JobEnd) {
	r.Charges += end.Charges
	if end.Outcome == activities.OutcomeDone {
		r.Done++
	} else {
		r.Failed++
	}
	r.Unwritten = append(r.Unwritten, job.result(end))
	r.applyRules()
}

// isLong reports whether the batch has to go on in a new run.
func (r *batchRun) isLong(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > maxEvents || info.GetCurrentHistorySize() > maxHistoryBytes
}

// continueAsNew goes on in a new run, which inherits the state. No report is left
// behind: the server rejects the end of a run that has a new signal.
func (r *batchRun) continueAsNew(ctx workflow.Context) error {
	for {
		if err := r.settleMessages(ctx); err != nil {
			return err
		}
		if r.receiveReports(ctx) == 0 {
			break
		}
	}
	return r.next(ctx, r.State)
}

// again goes through the manifest once more, in a new run.
func (r *batchRun) again(ctx workflow.Context) error {
	counts := Counts{Lines: r.Lines, Duplicates: r.Duplicates, Jobs: r.Jobs}
	r.input.RetryFailed = true
	return r.next(ctx, State{
		Manifest: r.Manifest, SHA256: r.SHA256, Counts: counts, Concurrency: r.Concurrency, Paused: r.Paused, Written: r.Written, StartedAt: r.StartedAt,
		Probe: r.Probe, OpenSince: r.OpenSince,
	})
}

func (r *batchRun) next(ctx workflow.Context, state State) error {
	input := r.input
	input.Items, input.Continued = nil, &state
	return workflow.NewContinueAsNewError(ctx, ModifyVideosName, input)
}
