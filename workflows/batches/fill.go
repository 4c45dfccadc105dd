package batches

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows"
)

const (
	// pageSize is the number of lines of one page. A page serves many jobs at the price of
	// one activity, which reads the whole manifest; a change of the manifest is found at
	// the next page.
	pageSize = 100
	// freshFor is the time for which the look-up of a job that has run before counts:
	// another client may start it, and it may pay. The time begins before the look-up,
	// because a batch that is reset has the look-ups of the run before.
	freshFor = time.Minute
)

// fill starts or finds the next jobs of the manifest until the window is full, no more
// may start, or the run is long: jobs that have ended already fill no window.
func (r *batchRun) fill(ctx workflow.Context) error {
	r.receiveReports(ctx)
	for r.room() > 0 && r.Next < r.Lines && !r.isLong(ctx) {
		if err := r.readPage(ctx); err != nil {
			return err
		}
		if r.startPage(ctx) {
			return nil
		}
		if err := r.writeResults(ctx, resultsPerWrite); err != nil {
			return err
		}
		r.receiveReports(ctx)
	}
	return nil
}

// room is the number of jobs that may start now.
func (r *batchRun) room() int {
	if held, _ := r.held(); held > 0 || r.Paused || r.Stopped != "" {
		return 0
	}
	room := r.Concurrency - len(r.Window)
	if canary := r.input.Canary; r.Done < canary {
		room = min(room, canary-r.Done-r.Failed-len(r.Window))
	}
	return room
}

// readPage reads the next jobs, unless those that were read are still to be processed.
func (r *batchRun) readPage(ctx workflow.Context) error {
	if len(r.page) > 0 && !r.isStale(ctx, r.page[0]) {
		return nil
	}
	wasStale := len(r.page) > 0
	r.readAt = workflow.Now(ctx)
	var page activities.Page
	err := workflow.ExecuteActivity(manifestPolicy(ctx, fmt.Sprintf("read the manifest from line %d on", r.Next+1)), b.NextJobs, activities.PageInput{
		Batch:       r.batch(),
		Next:        r.Next,
		Count:       pageSize,
		Unique:      r.Duplicates == 0,
		RetryFailed: r.input.RetryFailed,
	}).Get(ctx, &page)
	if temporal.IsCanceledError(err) {
		return err
	}
	if err == nil && len(page.Jobs) == 0 {
		err = temporal.NewNonRetryableApplicationError(fmt.Sprintf("the manifest ends before its line %d", r.Next+1), ManifestChanged, nil)
	}
	if err != nil {
		// What is started goes on, and its results are written.
		r.failure = r.failed(err)
		r.stop(r.failure.Error())
	}
	r.page = page.Jobs
	if wasStale {
		// A look-up that takes longer than freshFor is not repeated forever.
		r.readAt = workflow.Now(ctx)
	}
	return nil
}

// isStale reports whether a job must be looked up once more before it may start.
func (r *batchRun) isStale(ctx workflow.Context, found activities.FoundJob) bool {
	return found.State == activities.FoundAgain && workflow.Now(ctx).Sub(r.readAt) >= freshFor
}

// starting is a job whose start is not confirmed.
type starting struct {
	line   int
	future workflow.ChildWorkflowFuture
}

// startPage processes the jobs that were read, in the order of the manifest, as far as
// the window has room, and waits for their starts. blocked means that no more may
// start before others have ended.
func (r *batchRun) startPage(ctx workflow.Context) (blocked bool) {
	var pending []starting
	for len(r.page) > 0 && r.room() > 0 && !blocked && !r.isStale(ctx, r.page[0]) {
		found := r.page[0]
		starts := found.State == activities.FoundNew || found.State == activities.FoundAgain
		skipped := starts && r.skips(ctx, found)
		if blocked = starts && !skipped && !r.affords(found); blocked {
			break
		}
		r.page = r.page[1:]
		r.Next++
		r.Charges += found.Charges
		if skipped {
			r.skip(found.Line)
			continue
		}
		job := OpenJob{Line: found.Line, Job: found.ID, Collector: found.Collector, Run: found.Run, Pays: found.Pays, Charges: found.Charges, Since: workflow.Now(ctx)}
		switch {
		case starts:
			job.Pays = !found.Adopts
			future, err := r.start(ctx, found, job)
			if err != nil {
				r.count(job, activities.JobEnd{Outcome: activities.OutcomeFailed, Reason: err.Error()})
				continue
			}
			r.Window = append(r.Window, job)
			pending = append(pending, starting{job.Line, future})
		case found.State == activities.FoundOpen:
			r.Window = append(r.Window, job)
		case found.State == activities.FoundRepeated:
			r.Unwritten = append(r.Unwritten, activities.JobResult{Line: found.Line, Repeats: found.Repeats, JobEnd: activities.Repeated(found.Order)})
		default:
			r.Existing++
			end := *found.End
			end.Charges = 0 // The job has them.
			r.count(job, end)
		}
	}
	for _, start := range pending {
		r.confirm(ctx, start)
	}
	return blocked
}

// start starts a job. A disconnected context keeps it open when the batch is cancelled.
func (r *batchRun) start(ctx workflow.Context, found activities.FoundJob, job OpenJob) (workflow.ChildWorkflowFuture, error) {
	var input workflows.ModifyVideoInput
	// encoding/json is deterministic; workflowcheck reports its caches and its panics.
	//workflowcheck:ignore
	if err := json.Unmarshal(found.Input, &input); err != nil {
		return nil, fmt.Errorf("the input of the job is unreadable: %w", err)
	}
	input.Batch = r.id
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	ctx = jobOptions(ctx, job.workflowID(), input.Summary(), found.State == activities.FoundAgain)
	return workflow.ExecuteChildWorkflow(ctx, workflows.ModifyVideoName, input), nil
}

// confirm waits until a job has started. One that another client has started in the
// meantime is looked up by the next sweep.
func (r *batchRun) confirm(ctx workflow.Context, started starting) {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	var run workflow.Execution
	err := started.future.GetChildWorkflowExecution().Get(ctx, &run)
	_, exists := errors.AsType[*temporal.ChildWorkflowExecutionAlreadyStartedError](err)
	for i, job := range r.Window {
		switch {
		case job.Line != started.line:
		case err == nil:
			r.Window[i].Run = run.RunID
		case exists:
			r.sweepNow = true
		default:
			r.take(job.workflowID())
			r.count(job, activities.JobEnd{Outcome: activities.OutcomeFailed, Reason: "Temporal does not start the job: " + err.Error()})
			return
		}
	}
}
