package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid"
)

const (
	// maxHolds bounds the holds that become history. From then on the server alone
	// retries, and the status keeps the last reason.
	maxHolds = 100
	// A growing pause between attempts whose worker died bounds the history that
	// they add.
	pauseStep, maxPause = 5 * time.Second, time.Minute
)

// submit returns the task that kie.ai accepts, however long kie.ai holds the
// job. It returns unknownSubmission if a task with an unknown id may exist.
func (j *job) submit(ctx workflow.Context) (*paidTask, error) {
	j.enter(ctx, StageSubmitting, "submitting the task to kie.ai")
	j.payments.unread = j.isLaterRun(ctx)
	s := j.newSubmission()
	for {
		// Proof of an earlier submission prevents a second payment.
		task, err := j.findEarlierTask(ctx)
		if task != nil || err != nil {
			return task, err
		}
		task, err = s.attempt(ctx)
		if task != nil || err != nil {
			return task, err
		}
	}
}

// isLaterRun reports whether the run follows others whose payments it has not read.
// Only texts and the details of a failure may depend on it: a reset copies the
// events of a run into one with another id.
func (j *job) isLaterRun(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.WorkflowExecution.RunID != info.FirstRunID && info.FirstRunID != "" && j.sender == info.FirstRunID
}

// submission is a series of attempts to have one task accepted.
type submission struct {
	job   *job
	input activities.SubmitInput
	// holds counts the attempts that kie.ai refused for now, timeouts those whose
	// worker died before anything was sent.
	holds, timeouts int
	// intent is the last intent to send of the current attempt; nil if it has none.
	intent *activities.Evidence
}

func (j *job) newSubmission() *submission {
	s := &submission{job: j, input: activities.SubmitInput{
		Prompt:    j.input.Prompt,
		VideoURL:  j.input.VideoURL,
		Watermark: j.input.Watermark,
		Model:     j.model(),
		Options:   j.input.Options,
		Unchecked: j.input.Unchecked,
		Until:     j.until,
		Batch:     j.input.Batch,
	}}
	if expires := j.terms.videoExpires; !expires.IsZero() && !j.until.Before(expires) {
		s.input.Until, s.input.Expires = expires, true
	}
	return s
}

// attempt executes Submit once. It returns nil without an error if the next
// attempt is due.
func (s *submission) attempt(ctx workflow.Context) (*paidTask, error) {
	submitted, interrupted, err := s.execute(ctx)
	if err == nil {
		return s.job.accept(ctx, submitted), nil
	}
	if errorType(err) == activities.LaterRun {
		return s.job.adoptEarlierRuns(ctx)
	}
	if interrupted && temporal.IsCanceledError(err) && ctx.Err() == nil {
		return nil, nil // A signal cancelled the attempt, and nothing was sent.
	}
	if evidence, timedOut := lastEvidence(err, s.intent); timedOut {
		return s.afterTimeout(ctx, evidence)
	}
	if hold, held := asHold(err); held {
		s.afterHold(ctx, hold)
		return nil, nil
	}
	return nil, s.job.submitFailure(ctx, err)
}

// execute runs the activity. If an earlier submission may be paid, a callback or
// late evidence cancels the attempt as long as nothing has been sent: the signal
// may prove that nothing has to be.
func (s *submission) execute(ctx workflow.Context) (submitted activities.Submitted, interrupted bool, err error) {
	s.input.Attempts, s.input.Run, s.intent = s.job.status.SubmitAttempts, s.job.sender, nil
	activityCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	future := workflow.ExecuteActivity(submitPolicy(activityCtx, s.input.Until), a.Submit, s.input)
	selector := workflow.NewSelector(ctx)
	s.job.intents.addTo(ctx, selector, func(intent activities.Evidence) {
		s.intent = &intent
		s.job.rememberIntent(ctx, intent.At)
	})
	if s.job.payments.hasUnknown() {
		interrupt := func() {
			interrupted = true
			cancel()
		}
		s.job.callbacks.deferFrom(ctx, selector, interrupt)
		s.job.evidence.deferFrom(ctx, selector, interrupt)
	}
	selector.AddFuture(future, func(workflow.Future) {})
	for !future.IsReady() {
		selector.Select(ctx)
	}
	for intent, ok := s.job.intents.try(); ok; intent, ok = s.job.intents.try() {
		s.intent = &intent
	}
	err = future.Get(ctx, &submitted)
	return submitted, interrupted, err
}

// accept adopts a task that kie.ai accepted. The deadline for its result counts
// from the submission.
func (j *job) accept(ctx workflow.Context, submitted activities.Submitted) *paidTask {
	j.recordAttempts(submitted.Settings, submitted.Attempts)
	j.status.TaskID = submitted.TaskID
	j.until = submitted.SubmittedAt.Add(j.terms.deadline)
	task := &paidTask{id: submitted.TaskID, submittedAt: submitted.SubmittedAt}
	j.remember(ctx, task)
	return task
}

// afterHold shows the reason of a hold. The next attempt retries holds of the same
// code without a new event in the history.
func (s *submission) afterHold(ctx workflow.Context, hold activities.Hold) {
	s.job.recordAttempts(hold.Settings, hold.Attempts)
	s.job.setFacts(ctx, paid.Facts{})
	s.holds++
	s.input.Held, s.input.Quiet = &hold, s.holds >= maxHolds
	s.job.enter(ctx, StageHeld, fmt.Sprintf("kie.ai holds the job: %s; nothing is charged, and the job retries by itself", hold.Reason))
}

// afterTimeout decides by the last evidence of an attempt whose worker died. If
// the evidence proves that no task is open, the next attempt follows after a
// pause.
func (s *submission) afterTimeout(ctx workflow.Context, evidence activities.Evidence) (*paidTask, error) {
	s.job.recordAttempts(evidence.Settings, evidence.Attempts)
	switch evidence.Phase {
	case activities.PhaseAccepted:
		return s.job.accept(ctx, evidence.Submitted()), nil
	case activities.PhaseSending:
		return nil, unknownSubmission{evidence: evidence, cause: "the worker died while it was submitting"}
	}
	s.job.setFacts(ctx, paid.Facts{})
	if !workflow.Now(ctx).Before(s.input.Until) {
		return nil, s.expired()
	}
	pause := min(time.Duration(s.timeouts)*pauseStep, maxPause)
	s.timeouts++
	return nil, workflow.Sleep(ctx, pause)
}

// expired is the failure of a submission that no worker made in time.
func (s *submission) expired() error {
	if s.input.Expires {
		return s.job.videoExpired("no worker submitted the job before the uploaded video expired; nothing was charged")
	}
	return failure{
		errorType: SubmitRefused,
		text:      "no worker submitted the job before the deadline; nothing was charged",
		next:      "start the job again",
	}
}

// recordAttempts takes the settings of the worker and the number of submissions
// from the result of an attempt.
func (j *job) recordAttempts(settings activities.Settings, attempts int) {
	j.applySettings(settings)
	j.status.SubmitAttempts = max(j.status.SubmitAttempts, attempts)
}
