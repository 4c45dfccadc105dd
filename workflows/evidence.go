package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/workflows/signals"
)

// EvidenceSignal is one value for both ends of late evidence. A worker sends it
// when Temporal gave up its attempt before the attempt could report the outcome
// of the submission. The signal comes from lumaflow's own workers and counts as
// proof, like the evidence in a heartbeat.
var EvidenceSignal = signals.Signal[activities.Evidence]{
	Name:        activities.EvidenceSignal,
	Description: "a worker reports the outcome of a submission whose attempt timed out",
}

// IntentSignal is one value for both ends of the intent to submit. A worker sends
// it before the first byte of a paid request.
var IntentSignal = signals.Signal[activities.Evidence]{
	Name:        activities.IntentSignal,
	Description: "a worker is about to submit the task to kie.ai",
}

// unknownSubmission is a submission that may or may not have created a task.
type unknownSubmission struct {
	evidence activities.Evidence
	cause    string
	// earlierRun means that a run before this one made it, at a time that may be long
	// ago or unknown.
	earlierRun bool
	// undecided means that no search for its outcome has ended and that nothing may be
	// sent before.
	undecided bool
	// several means that it stands for all earlier runs, whose payments can't be read.
	several bool
}

func (u unknownSubmission) Error() string {
	if u.evidence.TaskID != "" {
		return u.cause + "; the answer named task " + u.evidence.TaskID
	}
	return u.cause
}

// sentAt is the time of the attempt, or now if the evidence has no time.
func (u unknownSubmission) sentAt(ctx workflow.Context) time.Time {
	if u.evidence.At.IsZero() {
		return workflow.Now(ctx)
	}
	return u.evidence.At
}

// windowStart is the start of the recovery window: the attempt, or the time at which
// a later run finds it.
func (u unknownSubmission) windowStart(ctx workflow.Context) time.Time {
	if u.earlierRun {
		return workflow.Now(ctx)
	}
	return u.sentAt(ctx)
}

// provenBy reports whether late evidence proves the outcome of this submission. The
// intent is that of the activity, of which at most one attempt is accepted; the time
// is that of the attempt, which alone a refusal is about.
func (u unknownSubmission) provenBy(evidence activities.Evidence) bool {
	sameAttempt := !evidence.At.IsZero() && evidence.At.Equal(u.evidence.At)
	switch evidence.Phase {
	case activities.PhaseAccepted:
		sameIntent := evidence.Intent != "" && evidence.Intent == u.evidence.Intent
		return evidence.TaskID != "" && (sameAttempt || sameIntent)
	case activities.PhaseRefused:
		return sameAttempt
	default:
		return false
	}
}

// applyEvidence processes late evidence about the earlier submissions. It
// returns the task of an unknown submission if the evidence proves one.
func (j *job) applyEvidence(ctx workflow.Context, evidence activities.Evidence) *paidTask {
	switch {
	case !j.payments.removeProven(evidence, j.status.TaskID):
		j.payments.addAccepted(evidence)
	case evidence.Phase == activities.PhaseAccepted:
		return j.accept(ctx, evidence.Submitted())
	}
	return nil
}

// applyReceivedEvidence processes the late evidence received so far, up to the
// first that proves a task.
func (j *job) applyReceivedEvidence(ctx workflow.Context) *paidTask {
	for evidence, ok := j.evidence.next(); ok; evidence, ok = j.evidence.next() {
		if found := j.applyEvidence(ctx, evidence); found != nil {
			return found
		}
	}
	return nil
}

// drainSignals processes the signals that are left, so that the run closes
// without an unprocessed signal and its final text is complete.
func (j *job) drainSignals(ctx workflow.Context) {
	for _, ok := j.intents.try(); ok; _, ok = j.intents.try() {
	}
	for callback, ok := j.callbacks.next(); ok; callback, ok = j.callbacks.next() {
		j.payments.addCandidate(callback.TaskID, j.status.TaskID)
		j.addStray(ctx, callback.TaskID)
	}
	for evidence, ok := j.evidence.next(); ok; evidence, ok = j.evidence.next() {
		j.payments.removeProven(evidence, j.status.TaskID)
		j.payments.addAccepted(evidence)
	}
}

// attachCallback adds to a task that was found without a callback the one that
// names it, a success before others: it shows that the task has ended and may
// hold the only links to the videos.
func attachCallback(ctx workflow.Context, found *paidTask, callbacks []Callback) {
	if found.callback != nil {
		return
	}
	for _, callback := range callbacks {
		if callback.TaskID == found.id && (found.callback == nil || callback.Code == 200) {
			found.callback = &callback
		}
	}
	if found.callback != nil && !processesEachSignal(ctx) {
		found.callback = nil
	}
}

// processesEachSignal is false for runs of a release that dropped signals:
// evidence that arrived together with that of another attempt, and the callback
// of a task that evidence had found. Such runs must replay as they were recorded.
// Histories contain the change id.
func processesEachSignal(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "hear-each-word", workflow.DefaultVersion, 1) > workflow.DefaultVersion
}
