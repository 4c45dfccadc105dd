package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/activities"
	"lumaflow/internal/paid"
	"lumaflow/internal/telemetry/metrics"
)

// failure is the visible end of a job without a video: the cause and the next
// command.
type failure struct {
	errorType string
	taskID    string
	text      string
	next      string
	// paidOpen means that a task is paid, or may be, and may still have a video.
	paidOpen bool
	// possible are tasks that the unknown submission may have created.
	possible []string
	// retryable leaves a further run to the retry policy that a client gave the job: it
	// adopts what this one paid.
	retryable bool
	// writtenOff means that an operator gave up the submission.
	writtenOff bool
}

func (f failure) Error() string { return f.text }

// message is the text for users, in the UI and on the command line.
func (f failure) message(jobID string) string {
	subject := "job " + jobID
	if f.taskID != "" {
		subject += ", task " + f.taskID
	}
	text := f.text
	if !strings.HasSuffix(text, "?") {
		text += "."
	}
	return fmt.Sprintf("%s: %s Next: %s", subject, text, f.next)
}

// fail publishes the end of the job and maps err to the error that the run
// closes with.
func (j *job) fail(ctx workflow.Context, err error) error {
	// A cancelled job publishes its end, too.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if temporal.IsCanceledError(err) {
		// Drain first: late evidence may report that a task was accepted.
		j.drainSignals(ctx)
		j.nameStrays(ctx)
		j.count(ctx, metrics.JobCancelled, metrics.CreditsUnstored)
		cancelled := j.cancelled()
		text := j.end(ctx, StageFailed, cancelled.text, cancelled.next, j.ended(activities.OutcomeCancelled, cancelled, cancelled.text))
		return temporal.NewCanceledError(text, j.failureFacts(cancelled))
	}
	failed, ok := errors.AsType[failure](err)
	if !ok {
		// No branch ends here by design. If one does, a paid task is still named.
		failed = failure{errorType: ResultOverdue, taskID: j.status.TaskID, text: causeText(err), next: collectCommand(j.status.TaskID), paidOpen: true}
	}
	if failed.writtenOff {
		j.nameStrays(ctx)
	} else {
		j.settleStrays(ctx)
	}
	text := j.end(ctx, StageFailed, failed.message(j.id), failed.next, j.ended(activities.OutcomeFailed, failed, failed.text))
	outcome := metrics.CreditsUnstored
	if failed.errorType == GenerationFailed {
		outcome = metrics.CreditsNoVideo
	}
	failed.errorType = j.failureType(failed)
	j.count(ctx, failed.errorType, outcome)
	return temporal.NewApplicationErrorWithOptions(text, failed.errorType, temporal.ApplicationErrorOptions{
		NonRetryable: !failed.retryable,
		Details:      []any{j.failureFacts(failed)},
	})
}

// failureType is the type of the error that the run closes with.
func (j *job) failureType(failed failure) string {
	if j.payments.any(j.status.TaskID) && (failed.errorType == SubmitRefused || failed.errorType == GenerationFailed) {
		// The outcome of the last submission is known, but another one is paid or may
		// be: starting the job again is not safe.
		return SubmitUnknown
	}
	return failed.errorType
}

// failureFacts are the payments of a run that ends without its video.
func (j *job) failureFacts(failed failure) paid.Facts {
	others := j.payments.open(j.status.TaskID)
	for _, taskID := range failed.possible {
		if !slices.Contains(others, taskID) {
			others = append(others, taskID)
		}
	}
	taskID, othersOpen := cmp.Or(failed.taskID, j.status.TaskID), j.payments.any(j.status.TaskID) || len(others) > 0
	if !failed.paidOpen && othersOpen {
		// The task of the job has no video; what is open is another submission.
		taskID = ""
	}
	return paid.Facts{
		TaskID:      taskID,
		Model:       j.model(),
		PaidOpen:    failed.paidOpen || othersOpen,
		OtherTasks:  others,
		Next:        failed.next,
		WrittenOff:  failed.writtenOff,
		SubmittedAt: j.facts.SubmittedAt,
		EndedAt:     j.endedAt,
		Credits:     j.status.Credits,
	}
}

// overdue is the failure of a task whose result was not stored by the deadline, or
// by the end of a shorter timeout of the run.
func (j *job) overdue(ctx workflow.Context, taskID string, err error) error {
	return failure{
		retryable: workflow.Now(ctx).Before(j.until),
		errorType: ResultOverdue,
		taskID:    taskID,
		text:      "no result was stored in time: " + causeText(err) + "; the task may still succeed, kie.ai keeps media for 14 days, and collecting it costs nothing",
		next:      collectCommand(taskID),
		paidOpen:  true,
	}
}

// cancelled is the end of a job that was cancelled, and its next command.
func (j *job) cancelled() failure {
	text := "job " + j.id + " was cancelled; kie.ai has no cancel"
	switch {
	case j.status.TaskID != "":
		next := collectCommand(j.status.TaskID)
		return failure{text: text + ", so task " + j.status.TaskID + " continues and is paid. Next: " + next, next: next, paidOpen: true}
	case j.status.Stage == StageSubmitUnknown || j.payments.any(j.status.TaskID):
		next := collectCommand("TASKID")
		return failure{text: text + ", and a task may exist: look for it at https://kie.ai/logs. Next: " + next, next: next, paidOpen: true}
	default:
		return failure{text: text + ", but nothing was submitted"}
	}
}

// shortDuration formats a duration without trailing zero units: 1h instead of
// 1h0m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func collectCommand(taskID string) string { return paid.CollectCommand(taskID) }

// errorType is the type of an activity's application error; empty for other errors.
func errorType(err error) string {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return failed.Type()
	}
	return ""
}

// causeText is the message of an activity's error without the text that Temporal
// adds.
func causeText(err error) string {
	if failed, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return failed.Message()
	}
	if _, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		return "no worker finished it in time"
	}
	return err.Error()
}
