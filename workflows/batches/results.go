package batches

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// resultsPerWrite is the number of results that are written at once: the file grows
// with the batch, and each write copies it.
const resultsPerWrite = 100

// writeResults writes the results if there are at least as many. A failure waits, and
// blocks nothing but the batch: its jobs store their videos themselves.
func (r *batchRun) writeResults(ctx workflow.Context, atLeast int) error {
	if len(r.Unwritten) < atLeast {
		return nil
	}
	results := r.Unwritten
	r.Unwritten = nil
	err := workflow.ExecuteActivity(manifestPolicy(ctx, "write results"), b.WriteResults, activities.ResultsInput{
		Batch: r.batch(), Results: results, Fresh: !r.Written,
	}).Get(ctx, nil)
	if err != nil {
		r.Unwritten = append(results, r.Unwritten...)
		return err
	}
	r.Written = true
	return nil
}

// completeResults writes the file of results with one line for each line of the
// manifest.
func (r *batchRun) completeResults(ctx workflow.Context) (location string, err error) {
	if err := r.writeResults(ctx, 1); err != nil || r.failure != nil {
		return "", err
	}
	err = workflow.ExecuteActivity(manifestPolicy(ctx, "complete the results"), b.FinishResults, activities.FinishInput{
		Batch: r.batch(), Next: r.Next, SkippedFrom: r.SkippedFrom, Stopped: r.incomplete(),
	}).Get(ctx, &location)
	return location, err
}

// cancelled ends a batch that a client has cancelled. The jobs go on, and what they
// have paid is collected.
func (r *batchRun) cancelled(ctx workflow.Context) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	r.receiveReports(ctx)
	r.stop("the batch was cancelled")
	if r.SHA256 != "" {
		if _, err := r.completeResults(ctx); err != nil {
			workflow.GetLogger(ctx).Warn("the results of the batch are not complete", "error", err)
		}
	}
	r.show(ctx)
	return temporal.NewCanceledError("batch "+r.id+" was cancelled: its open jobs go on. Next: start the batch again to go on, at no further cost for what is paid", r.progress(ctx))
}
