package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// adoptEarlierRuns continues with what the earlier runs of the job paid. It returns
// nil without an error if they provably paid nothing: then this run may submit.
func (j *job) adoptEarlierRuns(ctx workflow.Context) (*paidTask, error) {
	j.enter(ctx, StageSubmitting, "reading the payments of the earlier runs of this job")
	var earlier activities.Earlier
	err := workflow.ExecuteActivity(earlierRunsPolicy(ctx, j.until), a.EarlierRuns).Get(ctx, &earlier)
	if temporal.IsCanceledError(err) {
		return nil, err
	}
	j.payments.unread = false
	if err != nil {
		return nil, unknownSubmission{cause: "the earlier runs of this job could not be read: " + causeText(err), earlierRun: true, several: true}
	}
	j.applySettings(earlier.Settings)
	j.sender = earlier.RunID
	unknown := unknownOf(earlier)
	for _, submission := range unknown {
		// A submission of this run continues the count.
		j.recordAttempts(earlier.Settings, submission.evidence.Attempts)
	}
	j.payments.setEarlier(unknown)
	if len(earlier.Tasks) == 0 {
		return nil, j.payments.nextUndecided()
	}
	for _, task := range earlier.Tasks[1:] {
		j.payments.addAccepted(activities.Evidence{Phase: activities.PhaseAccepted, TaskID: task.TaskID})
	}
	return j.adoptEarlierTask(ctx, earlier.Tasks[0].TaskID, earlier), nil
}

// unknownOf are the submissions of the earlier runs that have no known outcome, the
// oldest first.
func unknownOf(earlier activities.Earlier) []unknownSubmission {
	var all []unknownSubmission
	for _, submission := range earlier.Unknown {
		cause := "an earlier run of this job began to send"
		if submission.At.IsZero() && earlier.Unread != "" {
			cause = fmt.Sprintf("an earlier run of this job, %s, is deleted", earlier.Unread)
		}
		all = append(all, unknownSubmission{
			evidence: activities.Evidence{
				Phase: activities.PhaseSending, At: submission.At, Attempts: submission.Attempts, TaskID: submission.TaskID, Intent: submission.Intent, Settings: earlier.Settings,
			},
			cause: cause, earlierRun: true, undecided: true,
		})
	}
	return all
}

// adoptEarlierTask makes the task of an earlier run the job's own. It may have
// ended, and its callback may have gone to that run.
func (j *job) adoptEarlierTask(ctx workflow.Context, taskID string, earlier activities.Earlier) *paidTask {
	j.status.TaskID = taskID
	j.until = workflow.Now(ctx).Add(j.terms.deadline)
	task := &paidTask{id: taskID, submittedAt: earlier.Tasks[0].SubmittedAt, adopted: true}
	j.remember(ctx, task)
	return task
}
