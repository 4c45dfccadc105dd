package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// maxShownHolds is how many changes of the reason for a hold become history.
// Beyond it the server alone retries and the first reasons stay on show.
const maxShownHolds = 100

// submit has the task accepted, however long kie.ai holds it. It returns
// unknownSubmission if a task may exist whose id nobody knows.
func (j *job) submit(ctx workflow.Context) (*paidTask, error) {
	j.enter(ctx, StageSubmitting, "submitting the task to kie.ai")
	input := activities.SubmitInput{
		Prompt:    j.input.Prompt,
		VideoURL:  j.input.VideoURL,
		Watermark: j.input.Watermark,
	}
	input.Until, input.Expires = j.submitUntil()
	for holds, deaths := 0, 0; ; {
		late, err := j.findEarlierTask(ctx)
		if err != nil {
			return nil, err
		}
		if late != nil {
			return late, nil
		}
		input.Attempts = j.status.SubmitAttempts
		submitted, interrupted, err := j.attempt(ctx, input)
		if err == nil {
			return j.accept(submitted), nil
		}
		if interrupted && temporal.IsCanceledError(err) && ctx.Err() == nil {
			continue
		}
		evidence, died := asLastEvidence(err)
		if hold, held := asHold(err); held && !died {
			j.learn(hold.Settings)
			j.status.SubmitAttempts = hold.Attempts
			holds++
			input.Held, input.Quiet = &hold, holds >= maxShownHolds
			j.enter(ctx, StageHeld, fmt.Sprintf("kie.ai holds the job: %s; nothing is charged, and it goes on by itself", hold.Reason))
			continue
		}
		if !died {
			return nil, j.submitFailure(ctx, err)
		}
		j.learn(evidence.Settings)
		j.status.SubmitAttempts = max(j.status.SubmitAttempts, evidence.Attempts)
		switch evidence.Phase {
		case activities.PhaseAccepted:
			return j.accept(evidence.Submitted()), nil
		case activities.PhaseSending:
			return nil, unknownSubmission{evidence: evidence, cause: "the worker died while it was submitting"}
		}
		if !workflow.Now(ctx).Before(input.Until) {
			if input.Expires {
				return nil, j.videoExpired("no worker managed to submit it before the uploaded video expired; nothing was charged")
			}
			return nil, failure{
				errorType: SubmitRefused,
				text:      "no worker managed to submit it before the deadline; nothing was charged",
				next:      "start the job again",
			}
		}
		// A worker that dies of each attempt must not fill the history.
		deaths++
		if err := workflow.Sleep(ctx, min(time.Duration(deaths-1)*5*time.Second, time.Minute)); err != nil {
			return nil, err
		}
	}
}

// submitUntil is until when a submission may be made: before the deadline, and
// while an uploaded video can still be fetched.
func (j *job) submitUntil() (until time.Time, expires bool) {
	if j.terms.videoExpires.IsZero() || j.until.Before(j.terms.videoExpires) {
		return j.until, false
	}
	return j.terms.videoExpires, true
}

// videoExpired is the failure of a job whose uploaded video is, or will soon be,
// deleted.
func (j *job) videoExpired(what string) failure {
	next := "run the same submit command again, it uploads the video anew"
	if j.payments.hasUnknown() {
		next = "see whether the earlier submission was paid"
	}
	return failure{errorType: SubmitRefused, text: what, next: next}
}

// attempt runs one submission. If an earlier one may be paid, a callback or late
// evidence interrupts it, as long as nothing has been sent: it may be the proof
// that nothing needs to be.
func (j *job) attempt(ctx workflow.Context, input activities.SubmitInput) (submitted activities.Submitted, interrupted bool, err error) {
	submitting, stop := workflow.WithCancel(ctx)
	defer stop()
	outcome := workflow.ExecuteActivity(submitPolicy(submitting, input.Until), a.Submit, input)
	if j.payments.hasUnknown() {
		selector := workflow.NewSelector(ctx)
		j.inbox.onCallback(ctx, selector, func(callback Callback) {
			j.inbox.deferCallbacks(callback)
			interrupted = true
			stop()
		})
		j.inbox.onEvidence(ctx, selector, func(evidence activities.Evidence) {
			j.inbox.deferEvidence(evidence)
			interrupted = true
			stop()
		})
		selector.AddFuture(outcome, func(workflow.Future) {})
		for !outcome.IsReady() {
			selector.Select(ctx)
		}
	}
	err = outcome.Get(ctx, &submitted)
	return submitted, interrupted, err
}

// accept takes over a task that kie.ai has accepted; the wait for its result
// starts now.
func (j *job) accept(submitted activities.Submitted) *paidTask {
	j.learn(submitted.Settings)
	j.status.TaskID = submitted.TaskID
	j.status.SubmitAttempts = max(j.status.SubmitAttempts, submitted.Attempts)
	j.until = submitted.SubmittedAt.Add(j.terms.deadline)
	return &paidTask{
		id:          submitted.TaskID,
		submittedAt: submitted.SubmittedAt,
		prompt:      j.input.Prompt,
		videoURL:    j.input.VideoURL,
		videoSHA256: j.input.VideoSHA256,
	}
}

// submitFailure reads the application errors of Submit that don't lead on by
// themselves.
func (j *job) submitFailure(ctx workflow.Context, err error) error {
	if temporal.IsCanceledError(err) {
		return err
	}
	var evidence activities.Evidence
	var failed *temporal.ApplicationError
	if !errors.As(err, &failed) {
		// A panic, say: it proves nothing.
		return unknownSubmission{cause: err.Error()}
	}
	if failed.HasDetails() && failed.Details(&evidence) == nil {
		j.learn(evidence.Settings)
		j.status.SubmitAttempts = max(j.status.SubmitAttempts, evidence.Attempts)
	}
	switch failed.Type() {
	case activities.Held, activities.NotSent:
		// The server stopped retrying, because the job is being cancelled or runs
		// out of the time that its starter gave it.
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return failure{errorType: SubmitRefused, text: "nothing was submitted or charged: " + failed.Message(), next: "start the job again"}
	case activities.VideoExpired:
		return j.videoExpired(failed.Message())
	case SubmitRefused:
		return failure{errorType: SubmitRefused, text: failed.Message(), next: "mend what it names and submit again"}
	}
	return unknownSubmission{evidence: evidence, cause: failed.Message()}
}

func asHold(err error) (hold activities.Hold, ok bool) {
	var failed *temporal.ApplicationError
	if !errors.As(err, &failed) || failed.Type() != activities.Held {
		return hold, false
	}
	return hold, failed.Details(&hold) == nil
}

// asLastEvidence reads what an attempt that timed out has left on the server.
// An attempt without evidence sent nothing; evidence that can't be read is
// taken for the worst.
func asLastEvidence(err error) (evidence activities.Evidence, died bool) {
	var timeout *temporal.TimeoutError
	if !errors.As(err, &timeout) {
		return evidence, false
	}
	if timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START || !timeout.HasLastHeartbeatDetails() {
		return evidence, true
	}
	if timeout.LastHeartbeatDetails(&evidence) != nil {
		evidence = activities.Evidence{Phase: activities.PhaseSending}
	}
	return evidence, true
}
