package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/telemetry/metrics"
)

var (
	stageAttribute  = temporal.NewSearchAttributeKeyKeyword(StageAttribute)
	taskIDAttribute = temporal.NewSearchAttributeKeyKeyword(TaskIDAttribute)
)

// enter begins a stage and shows it: in the status query, in the Temporal UI
// and, if the namespace has them, in the search attributes.
func (j *job) enter(ctx workflow.Context, stage Stage, detail string) {
	if j.status.Stage != stage {
		j.status.Since = workflow.Now(ctx).UTC()
	}
	j.status.Stage = stage
	j.say(ctx, detail)
	if !j.settings.SearchAttributes {
		return
	}
	updates := []temporal.SearchAttributeUpdate{stageAttribute.ValueSet(string(stage))}
	if j.status.TaskID != "" {
		updates = append(updates, taskIDAttribute.ValueSet(j.status.TaskID))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes are not set", "error", err)
	}
}

// currentStatus is the answer to the status query.
func (j *job) currentStatus() Status {
	status := j.status
	status.Callbacks = j.inbox.callbackCount
	return status
}

// say shows what happens within the stage. It leaves nothing in the history.
func (j *job) say(ctx workflow.Context, detail string) {
	j.status.Detail = detail
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** since %s: %s", j.status.Stage, j.status.Since.Format(time.RFC3339), inMarkdown(detail)))
}

// inMarkdown marks the command in a text as code: the UI renders current details
// and would make a dash of the two before a flag.
func inMarkdown(detail string) string {
	start := strings.Index(detail, "lumaflow ")
	if start < 0 {
		return detail
	}
	command, rest := detail[start:], ""
	if end := strings.IndexAny(command, ";."); end >= 0 {
		command, rest = command[:end], command[end:]
	}
	return detail[:start] + "`" + command + "`" + rest
}

// learn takes in the settings of the worker that served the job.
func (j *job) learn(settings activities.Settings) {
	if settings != (activities.Settings{}) {
		j.settings = settings
	}
}

// finish ends a job that stored everything.
func (j *job) finish(ctx workflow.Context, result ModifyVideoResult) ModifyVideoResult {
	countJob(ctx, metrics.JobDone)
	if j.input.TaskID == "" {
		countDelay(ctx, result.CompletedAt)
	}
	j.end(ctx, StageDone, fmt.Sprintf("stored %s of task %s", videos(len(result.Videos)), result.TaskID))
	return result
}

// end enters a final stage, lets running updates answer and hears what came
// meanwhile. It returns the last words of the job, which tell of that, too.
func (j *job) end(ctx workflow.Context, stage Stage, words string) string {
	j.drainSignals()
	j.enter(ctx, stage, words+j.payments.text(j.status.TaskID))
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		workflow.GetLogger(ctx).Warn("the job ends with an update under way", "error", err)
	}
	j.drainSignals()
	j.say(ctx, words+j.payments.text(j.status.TaskID))
	return j.status.Detail
}
