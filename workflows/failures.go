package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"lumaflow/internal/telemetry/metrics"
)

// failure is the visible end of a job without a video: the cause and the next
// command.
type failure struct {
	errorType string
	taskID    string
	text      string
	next      string
}

func (f failure) Error() string { return f.text }

// message is the text for users, in the UI and on the command line.
func (f failure) message(jobID string) string {
	subject := "job " + jobID
	if f.taskID != "" {
		subject += ", task " + f.taskID
	}
	return fmt.Sprintf("%s: %s. Next: %s", subject, f.text, f.next)
}

// fail publishes the end of the job and maps err to the error that the run
// closes with.
func (j *job) fail(ctx workflow.Context, err error) error {
	// A cancelled job publishes its end, too.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if temporal.IsCanceledError(err) {
		// Drain first: late evidence may report that a task was accepted.
		j.drainSignals()
		countJob(ctx, metrics.JobCancelled)
		return temporal.NewCanceledError(j.end(ctx, StageFailed, j.cancelText()))
	}
	failed, ok := errors.AsType[failure](err)
	if !ok {
		// No branch ends here by design. If one does, a paid task is still named.
		failed = failure{errorType: ResultOverdue, taskID: j.status.TaskID, text: causeText(err), next: collectCommand(j.status.TaskID)}
	}
	text := j.end(ctx, StageFailed, failed.message(j.id))
	if j.payments.any(j.status.TaskID) && (failed.errorType == SubmitRefused || failed.errorType == GenerationFailed) {
		// The outcome of the last submission is known, but another one is paid or may
		// be: starting the job again is not safe.
		failed.errorType = SubmitUnknown
	}
	countJob(ctx, failed.errorType)
	return temporal.NewNonRetryableApplicationError(text, failed.errorType, nil)
}

// overdue is the failure of a task whose result was not stored by the deadline.
func overdue(taskID string, err error) error {
	return failure{
		errorType: ResultOverdue,
		taskID:    taskID,
		text:      "no result was stored in time: " + causeText(err),
		next:      "the task may still succeed and kie.ai keeps media for 14 days; collect it without paying again: " + collectCommand(taskID),
	}
}

func (j *job) cancelText() string {
	text := "job " + j.id + " was cancelled; kie.ai has no cancel"
	switch {
	case j.status.TaskID != "":
		return text + ", so task " + j.status.TaskID + " continues and is paid. Next: collect it with " + collectCommand(j.status.TaskID)
	case j.status.Stage == StageSubmitUnknown || j.payments.any(j.status.TaskID):
		return text + ", and a task may exist. Next: look at https://kie.ai/logs and collect it with " + collectCommand("TASKID")
	default:
		return text + ", but nothing was submitted"
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

func collectCommand(taskID string) string { return "lumaflow submit --task-id " + taskID }

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
