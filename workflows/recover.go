package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/telemetry/metrics"
)

// recoverTask searches for proof of the outcome of an unknown submission: a callback
// on this job's own URL that the provider's record confirms, late evidence of
// the worker that sent it, or the decision of an operator. It returns the
// adopted task, or nil without an error if the job may submit again. Its error is the
// next unknownSubmission if there is one to search for.
func (j *job) recoverTask(ctx workflow.Context, unknown unknownSubmission) (*paidTask, error) {
	search := &proofSearch{job: j, unknown: unknown, windowEnd: unknown.windowStart(ctx).Add(j.terms.recoveryWindow)}
	j.enterWithNext(ctx, StageSubmitUnknown, search.describe(), search.next())
	j.rememberIntent(ctx, unknown.evidence.At)
	metrics.Submissions.Add(workflow.GetMetricsHandler(ctx), 1, metrics.SubmissionUnknown)
	searching, stop := workflow.WithCancel(ctx)
	err := search.run(searching)
	stop()
	if err != nil {
		return nil, err
	}
	switch {
	case search.found != nil:
		if unknown.several { // The task is that of one.
			j.payments.addUnknown(unknown)
		}
		for _, c := range search.candidates {
			if c.state != candidateDenied {
				j.addStray(ctx, c.taskID)
			}
		}
		return search.found, nil
	case search.notCreated:
		return nil, j.payments.nextUndecided()
	case search.action == Resubmit:
		j.payments.addUnknown(unknown)
		j.payments.permitNext()
		// Candidates without a result are identified before anything is paid.
		j.callbacks.deferred = append(j.callbacks.deferred, search.pendingCallbacks()...)
		// The new submission has a deadline of its own.
		j.until = workflow.Now(ctx).Add(j.terms.deadline)
		return nil, nil
	case search.action == WriteOff:
		return nil, failure{
			errorType: SubmitUnknown,
			text:      j.operator() + " wrote off a submission with an unknown outcome (" + unknown.Error() + "); if its task appears at https://kie.ai/logs, collecting it costs nothing",
			next:      collectCommand("TASKID"),
			paidOpen:  true, writtenOff: true,
		}
	default:
		return nil, search.failure()
	}
}

// operator names the person behind the latest decision, if that is known.
func (j *job) operator() string {
	if j.status.Resolved == nil || j.status.Resolved.By == "" {
		return "the operator"
	}
	return "the operator " + j.status.Resolved.By
}

// findEarlierTask checks, before anything is paid again, whether late evidence or
// a callback proves the task of an earlier submission. It returns nil if none
// does.
func (j *job) findEarlierTask(ctx workflow.Context) (*paidTask, error) {
	if !j.payments.hasUnknown() {
		return nil, nil
	}
	if found := j.applyReceivedEvidence(ctx); found != nil {
		attachCallback(ctx, found, j.callbacks.deferred)
		return found, nil
	}
	// The evidence may have settled all of them.
	for j.payments.hasUnknown() {
		callback, ok := j.callbacks.next()
		if !ok {
			break
		}
		if callback.TaskID == "" {
			continue
		}
		if j.lookups >= maxLookups {
			j.payments.addCandidate(callback.TaskID, j.status.TaskID)
			continue
		}
		j.lookups++
		var identified activities.Identified
		err := workflow.ExecuteActivity(identifyPolicy(ctx, callback.TaskID, 0), a.Identify, activities.IdentifyInput{
			Model:     j.model(),
			TaskID:    callback.TaskID,
			Own:       true,
			NotBefore: notBefore(ctx, j.payments.unknown[0]),
			Prompt:    j.input.Prompt,
			VideoURL:  j.input.VideoURL,
			Ended:     true,
		}).Get(ctx, &identified)
		switch {
		case err == nil:
			found := j.adoptIdentified(ctx, identified)
			found.submittedAt, found.callback = j.payments.removeOldestUnknown().sentAt(ctx), &callback
			j.remember(ctx, found)
			return found, nil
		case temporal.IsCanceledError(err):
			return nil, err
		case !isDenied(err):
			j.payments.addCandidate(callback.TaskID, j.status.TaskID)
		}
	}
	return nil, nil
}

// clockSkew bounds the difference between the clocks of kie.ai and of the
// workers.
const clockSkew = 15 * time.Minute

// notBefore is a time before the submission. The job's earlier runs had the same
// callback URL, and their tasks are not this run's.
func notBefore(ctx workflow.Context, submission unknownSubmission) time.Time {
	if submission.earlierRun && submission.evidence.At.IsZero() {
		return time.Time{}
	}
	return submission.sentAt(ctx).Add(-clockSkew)
}
