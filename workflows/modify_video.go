// Package workflows orchestrates the life of one paid video: submit once, find
// the task if the answer was lost, wait, confirm, collect. Its contract (names,
// inputs, signals, updates, queries) is in contract.go.
package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid"
)

// Register adds the workflows to a worker, a test environment or a replayer. On
// versioned workers a job is pinned to the version that it started on: it ends
// within days, and no later version has to replay it.
//
// attributes reports without blocking whether the namespace has lumaflow's search
// attributes now; nil means that it has. A replay does not call it.
func Register(registry worker.WorkflowRegistry, attributes func() bool) {
	RegisterWith(registry, Workflows{Attributes: attributes})
}

// RegisterWith is Register with all that the workflows need from their worker.
func RegisterWith(registry worker.WorkflowRegistry, run Workflows) {
	registry.RegisterWorkflowWithOptions(run.ModifyVideo, workflow.RegisterOptions{
		Name:               ModifyVideoName,
		VersioningBehavior: workflow.VersioningBehaviorPinned,
	})
}

// Workflows holds what the workflows need from their worker. Its methods are the
// workflows.
type Workflows struct {
	// Attributes reports whether the namespace has lumaflow's search attributes; nil
	// means that it has.
	Attributes func() bool
	// BatchAttribute reports whether it has the one of batches; nil means that it has
	// not.
	BatchAttribute func() bool
}

// ModifyVideo turns a prompt and a video into verified files. It makes at most
// one paid submission unless an operator, or the input, permits another. It ends
// with stored files or with an application error that names the task and the next
// command.
func (w Workflows) ModifyVideo(ctx workflow.Context, input ModifyVideoInput) (ModifyVideoResult, error) {
	j, err := newJob(ctx, input, w)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	result, err := j.run(ctx)
	if err != nil {
		return ModifyVideoResult{}, j.fail(ctx, err)
	}
	return j.finish(ctx, result), nil
}

func (j *job) run(ctx workflow.Context) (ModifyVideoResult, error) {
	task, err := j.obtainTask(ctx)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	source := j.keepSource(ctx, task)
	completed, err := j.awaitEnd(ctx, task)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	files, err := j.collect(ctx, task, completed)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	if j.input.TaskID == "" {
		countDelay(ctx, completed.record.CompletedAt)
	}
	kept, err := j.awaitSource(ctx, task, source)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	if err := j.writeReceipt(ctx, task, completed, files, kept); err != nil {
		return ModifyVideoResult{}, err
	}
	return ModifyVideoResult{
		TaskID:      task.id,
		Model:       j.model(),
		Credits:     completed.record.Credits,
		WokenBy:     completed.wokenBy,
		SubmittedAt: task.submittedAt,
		CompletedAt: completed.record.CompletedAt,
		Videos:      j.status.Videos,
	}, nil
}

// model is the model in the inputs of activities; empty for Luma Modify, whose
// histories have none.
func (j *job) model() string {
	if j.input.Model == activities.DefaultModel {
		return ""
	}
	return j.input.Model
}

// obtainTask adopts the task that the input names or submits a new one. After a
// submission with an unknown outcome it searches for proof before anything else is
// sent.
func (j *job) obtainTask(ctx workflow.Context) (*paidTask, error) {
	if j.input.TaskID != "" {
		return j.adopt(ctx, j.input.TaskID)
	}
	for {
		task, err := j.submit(ctx)
		unknown, ok := errors.AsType[unknownSubmission](err)
		if !ok {
			return task, err
		}
		for ok {
			task, err = j.recoverTask(ctx, unknown)
			unknown, ok = errors.AsType[unknownSubmission](err)
		}
		if task != nil || err != nil {
			return task, err
		}
	}
}

// job is the state of one run of ModifyVideo.
type job struct {
	id       string
	input    ModifyVideoInput
	terms    jobTerms
	status   Status
	settings activities.Settings
	// attributes reports whether the namespace has the search attributes.
	attributes func() bool
	// ofBatches reports whether it has the one of batches, which is set once.
	ofBatches func() bool
	batchSet  bool
	// until is the deadline of the current phase: until a task is accepted, and from
	// then on until its result is stored.
	until     time.Time
	callbacks inbox[Callback]
	evidence  inbox[activities.Evidence]
	intents   inbox[activities.Evidence]
	// sender is the run that may submit.
	sender   string
	payments payments
	strays   strays
	// lookups counts the records that were read between two submissions.
	lookups int
	// endedAt is the end of the task in kie.ai's record; zero until it is known.
	endedAt time.Time
	// facts are the payments that the memo of the run has.
	facts       paid.Facts
	resolutions workflow.Channel
	// windowClosed rejects further resolutions: the recovery window is over and
	// only pending activities, updates and signals can still prove the outcome.
	windowClosed bool
}

// paidTask is a paid task that this job owns.
type paidTask struct {
	id          string
	submittedAt time.Time
	// callback is the callback that named the task; nil if none did.
	callback *Callback
	// adopted means that no callback is expected and that the task may have ended.
	adopted bool
}

// newJob installs the handlers before the first blocking call and validates the
// input.
func newJob(ctx workflow.Context, input ModifyVideoInput, run Workflows) (*job, error) {
	j := &job{
		attributes:  run.Attributes,
		ofBatches:   run.BatchAttribute,
		id:          workflow.GetInfo(ctx).WorkflowExecution.ID,
		input:       input,
		status:      Status{Videos: []Video{}},
		callbacks:   newInbox(ctx, CallbackSignal),
		evidence:    newInbox(ctx, EvidenceSignal),
		intents:     newInbox(ctx, IntentSignal),
		sender:      workflow.GetInfo(ctx).FirstRunID,
		resolutions: workflow.NewBufferedChannel(ctx, 1),
	}
	if err := j.handleMessages(ctx); err != nil {
		return nil, err
	}
	var err error
	if err = checkStart(ctx, input); err == nil {
		j.terms, err = input.terms()
	}
	if err != nil {
		return nil, j.fail(ctx, failure{errorType: InvalidRequest, text: err.Error(), next: "correct the input and start the job again"})
	}
	j.until = workflow.Now(ctx).Add(j.terms.deadline)
	return j, nil
}
