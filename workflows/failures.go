package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// failure is the visible end of a job that gave no video: what happened, and
// the next command.
type failure struct {
	errorType string
	taskID    string
	what      string
	next      string
}

func (f failure) Error() string { return f.what }

// text is what users read, in the UI and on the command line.
func (f failure) text(job string) string {
	subject := "job " + job
	if f.taskID != "" {
		subject += ", task " + f.taskID
	}
	return fmt.Sprintf("%s: %s. Next: %s", subject, f.what, f.next)
}

// fail ends the job in sight of its users and turns err into the error that the
// run closes with.
func (j *job) fail(ctx workflow.Context, err error) error {
	// The rest must happen for a cancelled job, too.
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	if temporal.IsCanceledError(err) {
		text := j.cancelText(err)
		j.end(ctx, StageFailed, text)
		return temporal.NewCanceledError(text)
	}
	var failed failure
	if !errors.As(err, &failed) {
		// No branch is meant to come here; a paid task must still be named.
		failed = failure{errorType: ResultOverdue, taskID: j.status.TaskID, what: reason(err), next: collectCommand(j.status.TaskID)}
	}
	text := failed.text(j.id)
	j.end(ctx, StageFailed, text)
	return temporal.NewNonRetryableApplicationError(text, failed.errorType, nil)
}

// overdue is the failure of a task whose result did not arrive in time.
func (j *job) overdue(taskID string, err error) error {
	return failure{
		errorType: ResultOverdue,
		taskID:    taskID,
		what:      fmt.Sprintf("no stored result %s after the submission (%s)", j.deadline, reason(err)),
		next:      "the task may still end well and kie.ai keeps media for 14 days; collect it without paying again: " + collectCommand(taskID),
	}
}

func (j *job) cancelText(err error) string {
	text := "job " + j.id + " was cancelled; kie.ai has no cancel"
	_, unknown := asUnknown(err)
	switch {
	case j.status.TaskID != "":
		return text + ", so task " + j.status.TaskID + " goes on and is paid. Next: collect it with " + collectCommand(j.status.TaskID)
	case unknown || j.status.Stage == StageSubmitUnknown:
		return text + ", and a task may exist. Next: look at https://kie.ai/logs and collect it with " + collectCommand("TASKID")
	default:
		return text + ", but nothing was submitted"
	}
}

func collectCommand(taskID string) string { return "lumaflow submit --task-id " + taskID }

// reason is the innermost thing that an activity said, without Temporal's
// framing.
func reason(err error) string {
	var failed *temporal.ApplicationError
	if errors.As(err, &failed) {
		return failed.Message()
	}
	var timeout *temporal.TimeoutError
	if errors.As(err, &timeout) {
		return "no worker finished it in time"
	}
	return err.Error()
}
