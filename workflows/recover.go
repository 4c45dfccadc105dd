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
func (j *job) recover(ctx workflow.Context, lost unknownOutcome) (*paidTask, error) {
	search := search{job: j, lost: lost, ends: lost.at(ctx).Add(j.terms.recoveryWindow)}
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
		j.lost = append(j.lost, lost)
		// Claims that are still open are asked about before anything is paid.
		j.claims = append(j.claims, search.open...)
		// The new submission has its own time to be accepted in.
		j.until = workflow.Now(ctx).Add(j.terms.deadline)
		return nil, nil
	case search.verdict == WriteOff:
		return nil, failure{
			errorType: SubmitUnknown,
			what:      "the operator wrote off a submission with an unknown outcome (" + lost.Error() + ")",
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
func (j *job) sentSince(ctx workflow.Context, lost unknownOutcome) time.Time {
	if len(j.lost) > 0 {
		lost = j.lost[0]
	}
	return lost.at(ctx).Add(-clockSkew)
}

// lateProof looks, before anything is paid again, whether late evidence or a
// callback has brought the task of an earlier submission after all.
func (j *job) lateProof(ctx workflow.Context) (*paidTask, error) {
	if len(j.lost) == 0 {
		return nil, nil
	}
	if found := j.settleLost(); found != nil {
		return wokenBy(ctx, found, j.claims), nil
	}
	for len(j.lost) > 0 {
		callback, ok := j.nextClaim()
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
			NotBefore: j.sentSince(ctx, j.lost[0]),
		}).Get(ctx, &identified)
		switch {
		case err == nil:
			found := j.adoptIdentified(ctx, identified)
			found.submittedAt, found.wake = j.lost[0].at(ctx), &callback
			// The lost submission is found.
			j.lost = j.lost[1:]
			return found, nil
		case temporal.IsCanceledError(err):
			return nil, err
		case !disproved(err):
			j.stray(callback.TaskID)
		}
	}
	return nil, nil
}

func (j *job) nextClaim() (Callback, bool) {
	if len(j.claims) > 0 {
		callback := j.claims[0]
		j.claims = j.claims[1:]
		return callback, true
	}
	callback, ok := j.callbacks.TryReceive()
	if ok {
		j.status.Callbacks++
	}
	return callback, ok
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
