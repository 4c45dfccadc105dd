package workflows

import (
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid"
)

// maxReason bounds, in bytes, the text of a failure in a report.
const maxReason = 500

// done is the report of a job with its videos.
func (j *job) done(result ModifyVideoResult) JobEnd {
	facts := paid.Facts{TaskID: result.TaskID, OtherTasks: j.payments.open(result.TaskID), Unresolved: j.payments.hasUnknown()}
	end := JobEnd{Outcome: activities.OutcomeDone, TaskID: result.TaskID, Model: result.Model, Credits: result.Credits, Charges: facts.Charges()}
	for _, video := range result.Videos {
		end.Files = append(end.Files, video.Location)
	}
	return end
}

// ended is the report of a job without its video.
func (j *job) ended(outcome string, failed failure, text string) JobEnd {
	facts := j.failureFacts(failed)
	end := JobEnd{Outcome: outcome, TaskID: facts.TaskID, Model: facts.Model, Charges: facts.Charges(), Credits: facts.Credits}
	end.Reason = strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
	if outcome == activities.OutcomeFailed {
		end.Failure = j.failureType(failed)
	}
	if strings.HasPrefix(failed.next, "lumaflow ") {
		end.Next = failed.next
	}
	return end
}

// report signals the end of the job to the batch that started it, to whichever run of
// it is open. A lost report does no harm, since the batch looks up its open jobs. Only
// jobs of a batch have it in their histories.
func (j *job) report(ctx workflow.Context, end JobEnd) {
	info := workflow.GetInfo(ctx)
	if j.input.Batch == "" || info.ParentWorkflowExecution == nil || info.ParentWorkflowExecution.ID != j.input.Batch {
		return
	}
	end.Job, end.Run = info.WorkflowExecution.ID, info.WorkflowExecution.RunID
	if j.input.TaskID != "" {
		end.Charges = 0
	}
	// A cancelled job reports, too.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	err := j.sendReport(ctx, end)
	if err != nil && !temporal.IsCanceledError(err) {
		workflow.GetLogger(ctx).Info("the end is not reported to the batch, which finds it by itself", "batch", j.input.Batch, "error", err)
	}
}

// sendReport sends the report of stored videos by a local activity, within the workflow
// task that ends the job. If that task fails, it is repeated, and the batch ignores the
// second report. A cancel that arrives during that task may still end the job as
// cancelled; its videos are stored, and the batch keeps the report. Late proof may change
// any other end until it is in the history, so that the workflow itself sends that
// report. This signal takes a workflow task more, because the server drops it if its
// sender closes first; the server always settles it, as delivered or as failed because
// no such batch is open or that has too many signals.
func (j *job) sendReport(ctx workflow.Context, end JobEnd) error {
	if end.Outcome == activities.OutcomeDone && workflow.GetVersion(ctx, "report-within-the-task", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
		return workflow.ExecuteLocalActivity(reportPolicy(ctx), a.ReportEnd, activities.ReportInput{Batch: j.input.Batch, End: end}).Get(ctx, nil)
	}
	return workflow.SignalExternalWorkflow(ctx, j.input.Batch, "", JobEndSignal.Name, end).Get(ctx, nil)
}
