package activities

import (
	"errors"
	"math/rand/v2"
	"time"

	"lumaflow/internal/kie"
)

// expired ends a submission whose time is over. The name of the limit follows why.
func (t *attempt) expired(why string, cause error) error {
	const nothing = "nothing was submitted or charged: "
	if t.input.Expires {
		return permanent(VideoExpired, nothing+why+" the uploaded video expired at "+t.input.Until.UTC().Format(time.RFC3339), cause, t.evidence)
	}
	return permanent(SubmitRefused, nothing+why+" the deadline", cause, t.evidence)
}

// notSent retries with full jitter, from one second to one minute, so that a
// thousand jobs do not submit at once when the network is back.
func (t *attempt) notSent(cause error) error {
	ceiling := min(time.Second<<min(t.info.Attempt, 6), time.Minute)
	delay := time.Second/2 + rand.N(ceiling)
	if t.options.Now().Add(delay).After(t.input.Until) {
		return t.expired("kie.ai could not be reached before", cause)
	}
	return retryable(NotSent, "the submission was not sent", cause, delay)
}

// held returns a new hold to the workflow and retries a hold that the job shows
// already.
func (t *attempt) held(cause error) error {
	var hold Hold
	if refusal, ok := errors.AsType[*kie.Error](cause); ok {
		hold.Code, hold.Reason = refusal.Code, kie.Reason(refusal.Code)
		hold.RefusedAt = t.options.Now()
		hold.Until = hold.RefusedAt.Add(refusal.Delay())
	}
	return t.hold(hold, cause)
}

// hold returns or retries a hold, as held does.
func (t *attempt) hold(hold Hold, cause error) error {
	hold.Attempts, hold.Settings = t.evidence.Attempts, t.evidence.Settings
	if hold.Until.After(t.input.Until) {
		return t.expired("kie.ai held the job ("+hold.Reason+") until", nil)
	}
	if t.input.Quiet || t.input.Held != nil && t.input.Held.Code == hold.Code {
		return t.waitFor(hold)
	}
	return permanent(Held, "kie.ai refused the submission for now", cause, hold)
}

// waitFor retries when the hold ends. The details of the pending activity show it to
// the batch of the job.
func (t *attempt) waitFor(hold Hold) error {
	return retryable(Held, "held: "+hold.Reason, nil, hold.Until.Sub(t.options.Now()), hold)
}

func (t *attempt) unknown(cause error) error {
	message := "no usable answer"
	if failed, ok := errors.AsType[*kie.Error](cause); ok {
		// An answer that is no clear acceptance may still name a task.
		t.evidence.TaskID = failed.TaskID
		switch {
		case failed.TaskID != "":
			message = "kie.ai's answer names task " + failed.TaskID + " and is no clear acceptance"
		case failed.HTTPStatus != 0:
			message = "kie.ai's answer is neither a clear acceptance nor a refusal"
		}
	}
	return permanent(SubmitUnknown, message, cause, t.evidence)
}
