package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/paid"
)

// remember stores the task of the job in its memo.
func (j *job) remember(ctx workflow.Context, task *paidTask) {
	j.setFacts(ctx, paid.Facts{TaskID: task.id, Model: j.model(), PaidOpen: true, SubmittedAt: task.submittedAt, EndedAt: j.endedAt, Credits: j.status.Credits})
}

// rememberIntent stores in the memo that a task with an unknown id may be paid.
func (j *job) rememberIntent(ctx workflow.Context, at time.Time) {
	j.setFacts(ctx, paid.Facts{Model: j.model(), PaidOpen: true, SubmittedAt: at})
}

// rememberCredits stores the cost of a failed task in the memo, which lists show.
func (j *job) rememberCredits(ctx workflow.Context, credits float64) {
	j.status.Credits = &credits
	facts := j.facts
	facts.Credits = &credits
	j.setFacts(ctx, facts)
}

// rememberRest stores in the memo of a job with its video what else is paid, or may
// be, and collected by no job: a result has no details.
func (j *job) rememberRest(ctx workflow.Context) {
	others := j.payments.open(j.status.TaskID)
	if len(others) == 0 && !j.payments.hasUnknown() {
		return
	}
	facts := j.facts
	facts.PaidOpen, facts.OtherTasks, facts.Unresolved = true, others, j.payments.hasUnknown()
	j.setFacts(ctx, facts)
}

// setFacts stores the payments of the run in its memo. Runs of lumaflow v0.1 have
// none: only activities and intents of later workers switch it on.
func (j *job) setFacts(ctx workflow.Context, facts paid.Facts) {
	if !j.settings.Facts && j.intents.received == 0 || facts.Equal(j.facts) {
		return
	}
	j.facts = facts
	if err := workflow.UpsertMemo(ctx, map[string]any{paid.MemoKey: facts}); err != nil {
		workflow.GetLogger(ctx).Warn("the memo is not set", "error", err)
	}
}
