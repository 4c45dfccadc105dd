package workflows

import (
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
)

// adopt adopts the task that the input names.
func (j *job) adopt(ctx workflow.Context, taskID string) (*paidTask, error) {
	j.status.TaskID = taskID
	j.enter(ctx, StageWaiting, "reading kie.ai's record of task "+taskID)
	var identified activities.Identified
	err := workflow.ExecuteActivity(identifyPolicy(ctx, taskID, j.terms.deadline), a.Identify,
		activities.IdentifyInput{TaskID: taskID, Model: j.input.Model, Facts: true}).Get(ctx, &identified)
	switch {
	case err == nil:
		// The receipt names the source that kie.ai has on record.
		j.input.Prompt, j.input.VideoURL, j.input.VideoSHA256 = identified.Prompt, identified.VideoURL, ""
		task := j.adoptIdentified(ctx, identified)
		j.remember(ctx, task)
		return task, nil
	case temporal.IsCanceledError(err):
		return nil, err
	case errorType(err) == activities.UnknownTask:
		next := "check the id at https://kie.ai/logs and that KIE_API_KEY belongs to the account that submitted it"
		if j.input.Model != "" {
			next = "leave the model out, so that all families are tried; else " + next
		}
		return nil, failure{
			errorType: InvalidRequest,
			text:      causeText(err),
			next:      next,
		}
	default:
		return nil, j.overdue(ctx, taskID, err)
	}
}

// adoptIdentified makes a task that kie.ai has a record of the job's own.
func (j *job) adoptIdentified(ctx workflow.Context, identified activities.Identified) *paidTask {
	j.applySettings(identified.Settings)
	j.status.TaskID, j.input.Model = identified.TaskID, identified.Model
	j.until = workflow.Now(ctx).Add(j.terms.deadline)
	return &paidTask{id: identified.TaskID, submittedAt: identified.CreatedAt, adopted: true}
}
