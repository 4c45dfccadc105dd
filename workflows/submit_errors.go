package workflows

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// submitFailure maps an error of Submit that ends the submission to the failure
// of the job, or to unknownSubmission.
func (j *job) submitFailure(ctx workflow.Context, err error) error {
	if temporal.IsCanceledError(err) {
		return err
	}
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		// A panic, for example, proves nothing.
		return unknownSubmission{cause: err.Error()}
	}
	var evidence activities.Evidence
	if failed.HasDetails() && failed.Details(&evidence) == nil {
		j.recordAttempts(evidence.Settings, evidence.Attempts)
	}
	switch failed.Type() {
	case activities.Held, activities.NotSent:
		// The server stopped the retries: the job is cancelled, or the run timeout
		// that its client set is near.
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return failure{errorType: SubmitRefused, text: "nothing was submitted or charged: " + failed.Message(), next: "start the job again"}
	case activities.VideoExpired:
		return j.videoExpired(failed.Message())
	case InvalidRequest:
		return failure{errorType: InvalidRequest, text: failed.Message(), next: "correct the request and submit again"}
	case SubmitRefused:
		return failure{errorType: SubmitRefused, text: failed.Message(), next: "correct the request and submit again"}
	}
	return unknownSubmission{evidence: evidence, cause: failed.Message()}
}

// videoExpired is the failure of a job whose uploaded video is deleted, or will
// be before kie.ai can fetch it.
func (j *job) videoExpired(text string) failure {
	next := "run the same submit command again; it uploads the video again"
	if j.payments.hasUnknown() {
		next = "check whether the earlier submission was paid"
	}
	return failure{errorType: SubmitRefused, text: text, next: next}
}

// asHold returns the hold of a submission that kie.ai refused for now.
func asHold(err error) (hold activities.Hold, ok bool) {
	failed, ok := errors.AsType[*temporal.ApplicationError](err)
	ok = ok && failed.Type() == activities.Held && failed.Details(&hold) == nil
	return hold, ok
}

// lastEvidence returns the evidence that an attempt that timed out left on the
// server. Its heartbeats may have been reset; intent is what it left in the history,
// and nothing was sent if it left none there either. Evidence that can't be decoded
// counts as PhaseSending, the phase that permits no other submission.
func lastEvidence(err error, intent *activities.Evidence) (evidence activities.Evidence, timedOut bool) {
	timeout, ok := errors.AsType[*temporal.TimeoutError](err)
	if !ok {
		return evidence, false
	}
	if timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START || !timeout.HasLastHeartbeatDetails() {
		if intent != nil {
			evidence = *intent
		}
		return evidence, true
	}
	if timeout.LastHeartbeatDetails(&evidence) != nil {
		evidence = activities.Evidence{Phase: activities.PhaseSending}
	}
	return evidence, true
}
