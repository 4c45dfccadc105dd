package workflows

import (
	"fmt"
	"net/url"
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
	batchAttribute  = temporal.NewSearchAttributeKeyKeyword(BatchAttribute)
)

// enter begins a stage and publishes it: in the status query, in the Temporal UI
// and, if the namespace has them, in the search attributes.
func (j *job) enter(ctx workflow.Context, stage Stage, detail string) {
	j.enterWithNext(ctx, stage, detail, "")
}

// enterWithNext is enter with the next command, which the detail contains.
func (j *job) enterWithNext(ctx workflow.Context, stage Stage, detail, next string) {
	j.status.Next = next
	if j.status.Stage != stage {
		j.status.Since = workflow.Now(ctx).UTC()
	}
	j.status.Stage = stage
	j.setDetail(ctx, detail)
	if !j.settings.SearchAttributes || !j.attributesExist(ctx) {
		return
	}
	updates := []temporal.SearchAttributeUpdate{stageAttribute.ValueSet(string(stage))}
	if j.status.TaskID != "" {
		updates = append(updates, taskIDAttribute.ValueSet(j.status.TaskID))
	}
	if j.setsBatch(ctx) {
		updates = append(updates, batchAttribute.ValueSet(j.input.Batch))
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes are not set", "error", err)
	}
}

// attributesExist reports whether the namespace still has the search attributes. A
// workflow task that sets a missing one fails until the attribute is back; its next
// attempt reads the state again. Only a change adds a marker to the history. Runs of
// lumaflow v0.1 have none.
func (j *job) attributesExist(ctx workflow.Context) bool {
	if !j.settings.Facts {
		return true
	}
	same := func(a, b any) bool { return a == b }
	exist := true
	current := workflow.MutableSideEffect(ctx, "search-attributes", func(workflow.Context) any {
		return j.attributes == nil || j.attributes()
	}, same)
	if err := current.Get(&exist); err != nil {
		workflow.GetLogger(ctx).Warn("the state of the search attributes is unreadable", "error", err)
	}
	return exist
}

// setsBatch reports whether the search attribute of the job's batch is to be set: once,
// with those of a stage. Only jobs of a batch have a marker of it.
func (j *job) setsBatch(ctx workflow.Context) bool {
	if j.input.Batch == "" || j.batchSet {
		return false
	}
	same := func(a, b any) bool { return a == b }
	current := workflow.MutableSideEffect(ctx, "batch-attribute", func(workflow.Context) any {
		return j.ofBatches != nil && j.ofBatches()
	}, same)
	if err := current.Get(&j.batchSet); err != nil {
		workflow.GetLogger(ctx).Warn("the state of the search attribute of batches is unreadable", "error", err)
	}
	return j.batchSet
}

// setDetail publishes a text about the stage in the status query and the
// current details. It adds no event to the history.
func (j *job) setDetail(ctx workflow.Context, detail string) {
	j.status.Detail = detail
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** since %s: %s%s",
		j.status.Stage, j.status.Since.Format(time.RFC3339), commandAsCode(detail, j.status.Next), j.galleryLink(ctx)))
}

// galleryLink is the link of a job with videos to the gallery of its worker, as
// Markdown. It is empty without a gallery.
func (j *job) galleryLink(ctx workflow.Context) string {
	if j.status.Stage != StageDone || j.settings.GalleryURL == "" {
		return ""
	}
	return fmt.Sprintf("\n\n[Show it in the gallery](%s/compare?job=%s)",
		strings.TrimSuffix(j.settings.GalleryURL, "/"), url.QueryEscape(workflow.GetInfo(ctx).WorkflowExecution.ID))
}

// commandAsCode marks a command in a text as Markdown code. The UI renders current
// details as Markdown and turns the two hyphens of a flag into a dash elsewhere.
func commandAsCode(detail, command string) string {
	if !strings.HasPrefix(command, "lumaflow ") {
		return detail
	}
	return strings.ReplaceAll(detail, command, "`"+command+"`")
}

// currentStatus is the answer to the status query.
func (j *job) currentStatus() Status {
	status := j.status
	status.Callbacks = j.callbacks.received
	return status
}

// applySettings stores the settings of the worker that ran an activity of the job. A
// run that keeps its payments in the memo, or its source, does so to its end: during an
// upgrade an activity of it may run on a worker of lumaflow v0.1, and not every activity
// reports both.
func (j *job) applySettings(settings activities.Settings) {
	if settings != (activities.Settings{}) {
		settings.Facts = settings.Facts || j.settings.Facts
		settings.KeepSource = settings.KeepSource || j.settings.KeepSource
		j.settings = settings
	}
}

// finish ends a job whose files are all stored.
func (j *job) finish(ctx workflow.Context, result ModifyVideoResult) ModifyVideoResult {
	j.count(ctx, metrics.JobDone, metrics.CreditsStored)
	j.settleStrays(ctx)
	j.rememberRest(ctx)
	j.end(ctx, StageDone, fmt.Sprintf("stored %s of task %s", videoCount(len(result.Videos)), result.TaskID), "", j.done(result))
	return result
}

// end enters a final stage, waits for running updates, reports the end to the batch of
// the job and drains the signals. It returns text with the payments that are known
// then.
func (j *job) end(ctx workflow.Context, stage Stage, text, next string, report JobEnd) string {
	j.drainSignals(ctx)
	j.nameStrays(ctx)
	j.enterWithNext(ctx, stage, text+j.payments.text(j.status.TaskID), next)
	if err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) }); err != nil {
		workflow.GetLogger(ctx).Warn("job ends while an update is running", "error", err)
	}
	j.report(ctx, report)
	j.drainSignals(ctx)
	j.nameStrays(ctx)
	j.setDetail(ctx, text+j.payments.text(j.status.TaskID))
	return j.status.Detail
}
