package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// recover looks for proof of what became of a submission whose answer was lost:
// a callback on this job's own URL, confirmed by the provider's record, the late
// word of the worker that sent it, or an operator's. It returns the adopted task,
// or nil without an error if the job may submit once more.
func (j *job) recover(ctx workflow.Context, unknown unknownSubmission) (*paidTask, error) {
	search := search{job: j, lost: unknown, ends: unknown.sentAt(ctx).Add(j.terms.recoveryWindow)}
	j.enter(ctx, StageSubmitUnknown, search.describe())
	countUnknown(ctx)
	ctx, stop := workflow.WithCancel(ctx)
	defer stop()
	if err := search.run(ctx); err != nil {
		return nil, err
	}
	switch {
	case search.found != nil:
		return search.found, nil
	case search.refused:
		return nil, nil
	case search.verdict == Resubmit:
		j.payments.addUnknown(unknown)
		// Candidates without an answer are looked up before anything is paid.
		j.inbox.deferCallbacks(search.open...)
		// The new submission has its own time to be accepted in.
		j.until = workflow.Now(ctx).Add(j.terms.deadline)
		return nil, nil
	case search.verdict == WriteOff:
		return nil, failure{
			errorType: SubmitUnknown,
			what:      "the operator wrote off a submission with an unknown outcome (" + unknown.Error() + ")",
			next:      "if the task turns up at https://kie.ai/logs: lumaflow submit --task-id TASKID",
		}
	default:
		return nil, search.failure()
	}
}

// clockSkew is how far the clocks of kie.ai and of the workers may be apart.
const clockSkew = 15 * time.Minute

// sentSince is the time before which no submission of this run was made. An
// earlier run of the same job had the same callback URL, and its tasks are not
// this run's.
func (j *job) sentSince(ctx workflow.Context, unknown unknownSubmission) time.Time {
	if j.payments.hasUnknown() {
		unknown = j.payments.unknown[0]
	}
	return unknown.sentAt(ctx).Add(-clockSkew)
}

// lateProof looks, before anything is paid again, whether late evidence or a
// callback has brought the task of an earlier submission after all.
func (j *job) lateProof(ctx workflow.Context) (*paidTask, error) {
	if !j.payments.hasUnknown() {
		return nil, nil
	}
	if found := j.applyReceivedEvidence(); found != nil {
		attachCallback(ctx, found, j.inbox.deferredCallbacks)
		return found, nil
	}
	for j.payments.hasUnknown() {
		callback, ok := j.inbox.nextCallback()
		if !ok {
			return nil, nil
		}
		if callback.TaskID == "" {
			continue
		}
		var identified activities.Identified
		err := workflow.ExecuteActivity(identifyPolicy(ctx, callback.TaskID, 0), a.Identify, activities.IdentifyInput{
			TaskID:    callback.TaskID,
			Own:       true,
			NotBefore: j.sentSince(ctx, j.payments.unknown[0]),
		}).Get(ctx, &identified)
		switch {
		case err == nil:
			found := j.adoptIdentified(ctx, identified)
			found.submittedAt, found.callback = j.payments.removeOldestUnknown().sentAt(ctx), &callback
			return found, nil
		case temporal.IsCanceledError(err):
			return nil, err
		case !disproved(err):
			j.payments.addCandidate(callback.TaskID, j.status.TaskID)
		}
	}
	return nil, nil
}

// adopt takes over the task that the input names.
func (j *job) adopt(ctx workflow.Context, taskID string) (*paidTask, error) {
	j.status.TaskID = taskID
	j.enter(ctx, StageWaiting, "asking kie.ai about task "+taskID)
	var identified activities.Identified
	err := workflow.ExecuteActivity(identifyPolicy(ctx, taskID, j.terms.deadline), a.Identify,
		activities.IdentifyInput{TaskID: taskID}).Get(ctx, &identified)
	var failed *temporal.ApplicationError
	switch {
	case err == nil:
		return j.adoptIdentified(ctx, identified), nil
	case temporal.IsCanceledError(err):
		return nil, err
	case errors.As(err, &failed) && failed.Type() == activities.UnknownTask:
		return nil, failure{
			errorType: InvalidRequest,
			what:      failed.Message(),
			next:      "check the id at https://kie.ai/logs and that KIE_API_KEY belongs to the account that submitted it",
		}
	default:
		return nil, j.overdue(taskID, err)
	}
}

func (j *job) adoptIdentified(ctx workflow.Context, identified activities.Identified) *paidTask {
	j.learn(identified.Settings)
	j.status.TaskID = identified.TaskID
	j.until = workflow.Now(ctx).Add(j.terms.deadline)
	adopted := &paidTask{
		id:          identified.TaskID,
		submittedAt: identified.CreatedAt,
		prompt:      identified.Prompt,
		videoURL:    identified.VideoURL,
		adopted:     true,
	}
	if j.input.TaskID == "" {
		adopted.prompt, adopted.videoURL, adopted.videoSHA256 = j.input.Prompt, j.input.VideoURL, j.input.VideoSHA256
	}
	return adopted
}
