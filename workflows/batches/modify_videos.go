package batches

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/manifest"
	"lumaflow/workflows"
)

// Register adds the workflow to a worker, a test environment or a replayer. On
// versioned workers a batch moves to the current version, and so do the jobs that it
// starts: a job whose parent is pinned would inherit that version.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflowWithOptions(ModifyVideos, workflow.RegisterOptions{
		Name:               ModifyVideosName,
		VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	})
}

// ModifyVideos runs the jobs of a manifest, at most Concurrency of them at a time. It
// pays nothing itself: its jobs are those that a client would start, and one that is
// open or done already is found instead of started. It completes when all jobs have
// ended, or when it was stopped and those that it had started have ended. The jobs
// outlive it: a batch that is cancelled, terminated, reset or started again finds them.
func ModifyVideos(ctx workflow.Context, input Input) (Result, error) {
	batch, err := newBatch(ctx, input)
	if err != nil {
		return Result{}, err
	}
	result, err := batch.run(ctx)
	if temporal.IsCanceledError(err) {
		return Result{}, batch.cancelled(ctx)
	}
	return result, err
}

// batchRun is the state of one run of ModifyVideos.
type batchRun struct {
	id    string
	input Input
	// State is what the next run continues with.
	State
	// page are the next jobs of the manifest, whose look-up began at readAt.
	page   []activities.FoundJob
	readAt time.Time
	// reports are the ends that jobs report.
	reports workflow.ReceiveChannel
	// wake receives a value after each update.
	wake workflow.Channel
	// sweepTimer is nil while no sweep is due; sweepNow makes one due at once.
	sweepTimer workflow.Future
	sweepNow   bool
	// paidBefore counts what the batch had paid when this run began, and paidSince what
	// the jobs that have ended since have paid beside that. They are counted for a budget
	// only.
	paidBefore activities.PaidBefore
	paidSince  int
	// failure is the error that the batch ends with when the open jobs have ended.
	failure error
}

// newBatch installs the handlers before the first blocking call and validates the
// input.
func newBatch(ctx workflow.Context, input Input) (*batchRun, error) {
	batch := &batchRun{
		input:   input,
		id:      workflow.GetInfo(ctx).WorkflowExecution.ID,
		reports: workflows.JobEndSignal.Channel(ctx),
		wake:    workflow.NewBufferedChannel(ctx, 1),
	}
	batch.State = State{Concurrency: DefaultConcurrency, StartedAt: workflow.Now(ctx).UTC()}
	if input.Concurrency != 0 {
		batch.Concurrency = input.Concurrency
	}
	if input.Continued != nil {
		batch.State = *input.Continued
	}
	if err := batch.handleMessages(ctx); err != nil {
		return nil, err
	}
	if err := input.Validate(); err != nil {
		return nil, temporal.NewNonRetryableApplicationError("batch "+batch.id+": "+err.Error()+". Next: correct the input and start the batch again", InvalidRequest, nil)
	}
	return batch, nil
}

func (r *batchRun) run(ctx workflow.Context) (Result, error) {
	if err := r.prepare(ctx); err != nil {
		return Result{}, err
	}
	for {
		if err := r.fill(ctx); err != nil {
			return Result{}, err
		}
		if err := r.writeResults(ctx, resultsPerWrite); err != nil {
			return Result{}, err
		}
		switch {
		case r.finished():
			return r.finish(ctx)
		case r.isLong(ctx) && r.failure == nil: // The next run would lack the failure.
			return Result{}, r.continueAsNew(ctx)
		}
		if err := r.awaitChange(ctx); err != nil {
			return Result{}, err
		}
	}
}

// prepare checks the whole manifest before anything is started, and reads what earlier
// runs of the batch have paid.
func (r *batchRun) prepare(ctx workflow.Context) error {
	if r.input.Continued == nil {
		if err := r.checkManifest(ctx); err != nil {
			return err
		}
	}
	// After a reset or continue-as-new, open jobs may have ended since the last sweep.
	r.sweepNow = len(r.Window) > 0
	return r.readCharges(ctx)
}

func (r *batchRun) checkManifest(ctx workflow.Context) error {
	r.show(ctx)
	// encoding/json is deterministic.
	//workflowcheck:ignore
	lines, err := manifest.Encode(r.input.Items)
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), InvalidRequest, nil)
	}
	var checked activities.CheckedManifest
	err = workflow.ExecuteActivity(manifestPolicy(ctx, "check the whole manifest"), b.CheckManifest, activities.ManifestInput{
		Batch: activities.Batch{ID: r.id, Manifest: r.input.Manifest, SHA256: r.input.SHA256},
		Items: lines,
	}).Get(ctx, &checked)
	if err != nil {
		return r.failed(err)
	}
	r.Manifest, r.SHA256 = checked.Manifest, checked.SHA256
	r.Lines, r.Duplicates, r.Jobs = checked.Lines, checked.Duplicates, checked.Lines-checked.Duplicates
	return nil
}

// batch identifies the batch for its activities.
func (r *batchRun) batch() activities.Batch {
	return activities.Batch{ID: r.id, Manifest: r.Manifest, SHA256: r.SHA256}
}

// failed is the error that the batch fails with because of an activity.
func (r *batchRun) failed(err error) error {
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	if temporal.IsCanceledError(err) || !ok {
		return err
	}
	return temporal.NewNonRetryableApplicationError("batch "+r.id+": "+failed.Message()+". Next: correct the manifest and start the batch again", failed.Type(), err)
}

// finished reports whether all jobs have ended that the batch starts.
func (r *batchRun) finished() bool {
	return len(r.Window) == 0 && (r.Stopped != "" || r.Next >= r.Lines)
}

// finish completes the results and, on request, goes through the manifest once more.
func (r *batchRun) finish(ctx workflow.Context) (Result, error) {
	location, err := r.completeResults(ctx)
	if err != nil {
		return Result{}, r.failed(err)
	}
	if err := r.settleMessages(ctx); err != nil {
		return Result{}, err
	}
	if r.RetryRequested {
		return Result{}, r.again(ctx)
	}
	if r.failure != nil {
		return Result{}, r.failure
	}
	return Result{
		Counts: r.Counts, NotStarted: r.notStarted(), Stopped: r.incomplete(), Results: location,
		StartedAt: r.StartedAt, EndedAt: workflow.Now(ctx).UTC(),
	}, nil
}
