// Package workflows orchestrates the life of one paid video: submit once, find
// the task again whatever happened to the answer, wait, confirm, collect. Its
// contract (names, inputs, signals, updates, queries) is in contract.go.
package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows/signals"
)

// ModifyVideo turns a prompt and a video into verified files. It makes at most
// one paid submission unless an operator, or the input, says otherwise, and it
// ends as stored files or as an application error that names the task and the
// next command.
func ModifyVideo(ctx workflow.Context, input ModifyVideoInput) (ModifyVideoResult, error) {
	job, err := newJob(ctx, input)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	result, err := job.run(ctx)
	if err != nil {
		return ModifyVideoResult{}, job.fail(ctx, err)
	}
	return job.finish(ctx, result), nil
}

func (j *job) run(ctx workflow.Context) (ModifyVideoResult, error) {
	task, err := j.obtainTask(ctx)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	outcome, err := j.awaitEnd(ctx, task)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	files, err := j.collect(ctx, task, outcome)
	if err != nil {
		return ModifyVideoResult{}, err
	}
	if err := j.writeReceipt(ctx, task, outcome, files); err != nil {
		return ModifyVideoResult{}, err
	}
	return j.result(task, outcome, files), nil
}

// obtainTask adopts the task that the input names or submits a new one. If the
// outcome of a submission is unknown it looks for proof before anything else
// is sent.
func (j *job) obtainTask(ctx workflow.Context) (task, error) {
	if j.input.TaskID != "" {
		return j.adopt(ctx, j.input.TaskID)
	}
	for {
		task, err := j.submit(ctx)
		lost, unknown := asUnknown(err)
		if !unknown {
			return task, err
		}
		task, again, err := j.recover(ctx, lost)
		if !again {
			return task, err
		}
	}
}

// job is the state of one run of ModifyVideo.
type job struct {
	id    string
	input ModifyVideoInput
	terms
	status   Status
	settings activities.Settings
	// until is when the current phase is overdue: getting a task accepted, and
	// from then on storing its result.
	until       time.Time
	callbacks   signals.Channel[Callback]
	evidence    signals.Channel[activities.Evidence]
	resolutions workflow.Channel
	// windowOver says that the recovery window is: only what is already under way
	// can still settle the submission.
	windowOver bool
	// claims are callbacks, told is late evidence, that came while the job was
	// submitting again.
	claims []Callback
	told   []activities.Evidence
	// lost are the submissions with an unknown outcome that an operator, or the
	// input, had the job submit again after; strays are the tasks that were named
	// since. Both may be paid, so no end of the job may hide them. The others are
	// tasks that are known to be paid, the job's own perhaps among them.
	lost   []unknownOutcome
	strays []string
	others []string
}

// task is a paid task that this job owns.
type task struct {
	id          string
	submittedAt time.Time
	prompt      string
	videoURL    string
	videoSHA256 string
	// wake is the callback that brought the task, if one did.
	wake *Callback
	// adopted says that nobody will call back and that the task may long be done.
	adopted bool
}

// newJob installs the handlers before anything can block and checks the input.
func newJob(ctx workflow.Context, input ModifyVideoInput) (*job, error) {
	job := &job{
		id:          workflow.GetInfo(ctx).WorkflowExecution.ID,
		input:       input,
		status:      Status{Videos: []Video{}},
		callbacks:   CallbackSignal.Channel(ctx),
		evidence:    EvidenceSignal.Channel(ctx),
		resolutions: workflow.NewBufferedChannel(ctx, 1),
	}
	if err := job.handleMessages(ctx); err != nil {
		return nil, err
	}
	var err error
	if job.terms, err = input.terms(); err != nil {
		return nil, job.fail(ctx, failure{errorType: InvalidRequest, what: err.Error(), next: "correct the input and start the job again"})
	}
	job.until = workflow.Now(ctx).Add(job.deadline)
	return job, nil
}

func (j *job) result(task task, outcome outcome, files []activities.Downloaded) ModifyVideoResult {
	result := ModifyVideoResult{
		TaskID:      task.id,
		WokenBy:     outcome.wokenBy,
		SubmittedAt: task.submittedAt,
		CompletedAt: outcome.CompletedAt,
	}
	for _, file := range files {
		result.Videos = append(result.Videos, file.Video)
	}
	return result
}
